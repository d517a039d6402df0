"""From routes to the ASGI apps that serve them."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, replace
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.config.settings import Settings
from ocgate.core.errors import OcgateError
from ocgate.core.header_names import Header
from ocgate.core.identity import PRINCIPAL, Principal
from ocgate.core.identity_headers import IDENTITY_FAMILY, IdentityHeaderNames, identity_headers
from ocgate.core.routing import Route
from ocgate.upstream.balancer import Upstream
from ocgate.upstream.origin import Origin
from ocgate.upstream.relay import Relay
from ocgate.upstream.request_heads import HeadersFor
from ocgate.upstream.settings import Limits, Timeouts
from ocgate.upstream.tls import backend_tls

_MOST_RECENT = 256


class ServiceUnavailable(OcgateError):
    """The route leads to a service that does not run here."""

    status = 503


class Backends:
    """The backends of all routes. Routes to the same addresses share their connections."""

    def __init__(self, settings: Settings) -> None:
        upstream = settings.upstream
        self._timeouts = Timeouts(
            connect=upstream.connect_timeout.total_seconds(),
            first_byte=upstream.first_byte_timeout.total_seconds(),
            idle=upstream.idle_timeout.total_seconds(),
            keep_alive=upstream.keep_alive.total_seconds(),
            slot=upstream.queue_timeout.total_seconds(),
        )
        self._limits = Limits(
            connections=upstream.connections, idle_connections=upstream.idle_connections
        )
        ca_file = Path(upstream.ca_cert) if upstream.ca_cert else None
        self._tls = backend_tls(ca_file=ca_file, insecure=upstream.insecure)
        identity = settings.identity
        self._names = IdentityHeaderNames(
            user=identity.user,
            user_id=identity.user_id,
            display_name=identity.display_name,
            mail=identity.mail,
            groups=identity.groups,
            roles=identity.roles,
        )
        # Whatever any route may send as ours is never taken from a client, on any route.
        self._strip = (
            *IDENTITY_FAMILY,
            *identity.strip,
            *filter(None, astuple(self._names)),
            *(route.remote_user_header for route in settings.routes if route.remote_user_header),
            *(name for route in settings.routes for name, _ in route.additional_headers),
        )
        self._upstreams: dict[tuple[str, ...], Upstream] = {}

    def serving(self, route: Route, services: Mapping[str, ASGIApp]) -> ASGIApp:
        """Return the app of a route: one of our own services, or a relay to its backend."""
        if route.service:
            return services.get(route.service) or _unavailable(route.service)
        upstream = self._upstreams.get(route.backend)
        if upstream is None:
            upstream = Upstream(
                [Origin.parse(address) for address in route.backend],
                timeouts=self._timeouts,
                limits=self._limits,
                tls=self._tls,
            )
            self._upstreams[route.backend] = upstream
        return Relay(
            upstream,
            preserve_host=not route.backend_host,
            strip=self._strip,
            headers_for=self._headers_for(route),
            allow_websocket=route.websocket,
        )

    def close(self) -> None:
        """Close the idle connections."""
        for upstream in self._upstreams.values():
            upstream.close()

    def _headers_for(self, route: Route) -> HeadersFor:
        names = self._names
        if route.remote_user_header:
            names = replace(names, user=route.remote_user_header)
        fixed = [
            (name.lower().encode(), value.encode()) for name, value in route.additional_headers
        ]

        # The same few principals ask again and again; comparing them would cost more.
        recent: dict[int, tuple[Principal, list[Header]]] = {}

        def headers_for(scope: Scope) -> Iterable[Header]:
            principal = scope.get(PRINCIPAL)
            if principal is None:
                return fixed
            known = recent.get(id(principal))
            if known is None or known[0] is not principal:
                if len(recent) >= _MOST_RECENT:
                    recent.clear()
                known = principal, [*fixed, *identity_headers(principal, names)]
                recent[id(principal)] = known
            return known[1]

        return headers_for


def _unavailable(service: str) -> ASGIApp:
    async def answer(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ServiceUnavailable("This service does not run here.", detail=f"service {service}")

    return answer
