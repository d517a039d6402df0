"""The gate: every middleware in its place, in front of the backends and our own routes."""

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate import __version__
from ocgate.app.backends import Backends
from ocgate.app.dispatch import Dispatch, to_endpoint
from ocgate.app.responses import with_response_headers
from ocgate.app.shortcut import Shortcut
from ocgate.app.state import NoAccounts, State, open_state
from ocgate.config.named_files import read_policy
from ocgate.config.settings import Settings
from ocgate.core.routing import Router
from ocgate.routes.signing_key import SigningKeyEndpoint
from ocgate.server.metrics import Metrics
from ocgate_middleware.access_log import AccessLogMiddleware
from ocgate_middleware.basic import BasicAuthMiddleware
from ocgate_middleware.errors import ErrorMiddleware
from ocgate_middleware.forwarded import ForwardedMiddleware
from ocgate_middleware.presigned_url import PresignedURLMiddleware
from ocgate_middleware.request_id import RequestIdMiddleware, RequestIds
from ocgate_middleware.require_principal import RequirePrincipalMiddleware
from ocgate_middleware.target_guard import TargetGuardMiddleware

log = logging.getLogger("ocgate.gate")


class Gate:
    """The composed application, with what surrounds it: checks, metrics, and an end."""

    def __init__(self, app: ASGIApp, state: State, backends: Backends, metrics: Metrics) -> None:
        self.metrics = metrics
        self._app = app
        self._state = state
        self._backends = backends

    @property
    def checks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """What `/readyz` asks."""
        return {"signing-keys-store": self._state.key_store.check}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the process."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def aclose(self) -> None:
        """Let go of every connection and file."""
        self._backends.close()
        await self._state.aclose()


def create_gate(settings: Settings, *, environ: Mapping[str, str]) -> Gate:
    """Compose the gate. Raises ConfigError; no server is asked for anything.

    `environ` fills the placeholders of csp.yaml. From the outside in: the client's real
    address, the access log, a request id, the headers of every answer, errors as answers, the
    target's rules, the routes; on protected routes the authenticators in their order, and at
    the end always `require_principal`, whatever is switched off.
    """
    policy = read_policy(settings, environ)
    for warning in policy.warnings:
        log.warning("csp: %s", warning)
    state = open_state(settings)
    if state.users is None:
        log.error("nobody can log in: OCGATE_USERS_FILE names no users")
    backends = Backends(settings)
    ocs = SigningKeyEndpoint(keys=state.keys) if "ocs" in settings.services else None
    services: dict[str, ASGIApp] = {"ocs": ocs} if ocs is not None else {}

    router = Router(settings.routes if "proxy" in settings.services else ())
    dispatch = Dispatch(
        _protected(settings, state),
        router,
        lambda route: backends.serving(route, services),
        ocs=ocs,
    )
    origin = settings.door.public_url
    app: ASGIApp = TargetGuardMiddleware(
        dispatch,
        allow_encoded_slash=settings.door.allow_encoded_slash,
        max_target=settings.limits.target,
        origins=(origin.encode(),) if origin else (),
    )
    app = ErrorMiddleware(app)
    app = with_response_headers(app, settings, policy)
    ids = RequestIds()
    app = RequestIdMiddleware(app, ids=ids)
    metrics = Metrics(version=__version__)
    app = AccessLogMiddleware(app, observe=metrics)
    door = settings.door
    trusted = [str(network) for network in door.trusted_proxies]
    trusting = bool(trusted) or door.trust_unix_socket
    # What nobody is trusted for is only removed, and that is known with the rest.
    if not trusting:
        app = ForwardedMiddleware(app)
    if not policy.policy.has_nonce:
        app = Shortcut(
            app,
            dispatch=dispatch,
            ids=ids,
            observe=metrics,
            max_target=settings.limits.target,
            allow_encoded_slash=door.allow_encoded_slash,
        )
    if trusting:
        app = ForwardedMiddleware(app, trusted=trusted, trust_unix_socket=door.trust_unix_socket)
    return Gate(app, state, backends, metrics)


def _protected(settings: Settings, state: State) -> ASGIApp:
    """Stack the authenticators: the first that finds its kind of credential decides."""
    app: ASGIApp = RequirePrincipalMiddleware(to_endpoint)
    if settings.basic.enabled and state.users is not None:
        app = BasicAuthMiddleware(app, users=state.users)
    presigned = settings.presigned
    if presigned.enabled:
        app = PresignedURLMiddleware(
            app,
            keys=state.keys,
            accounts=state.users or NoAccounts(),
            public_origin=settings.door.public_url or None,
            allowed_methods=presigned.methods,
            head_as_get=presigned.head_as_get,
            max_expires=int(presigned.max_expires.total_seconds()),
            leeway=int(presigned.leeway.total_seconds()),
        )
    return app
