"""Believe what trusted proxies say about the client, and nobody else.

    app = ForwardedMiddleware(app, trusted=["10.0.0.0/8"])

From a peer in `trusted`:

1. `scope["client"]` becomes the client's address: the right-most one in the chain that is not
   itself a trusted proxy (its port is 0);
2. `scope["scheme"]` becomes the scheme that the client used;
3. `scope["ocgate.forwarded_origin"]` is `scheme://host` as the client used it, if the proxy
   says either.

The chain is read from one header, `header`, because a proxy that writes one of them passes
the others on as the client sent them. With `x-forwarded-for` and `x-real-ip`, scheme and host
come from `X-Forwarded-Proto` and `X-Forwarded-Host`.

The whole family (`ocgate.core.forwarded.FORWARDED_FAMILY`) is removed from every request, so
nothing further in can believe it. Trusting nobody is the default.

Deployment caveat: `trusted` must name the proxy and no client; each trusted proxy must append
to the chain, or replace it.
"""

from collections.abc import Iterable
from typing import Any, Literal, get_args

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.errors import ConfigError
from ocgate.core.forwarded import (
    FORWARDED_FAMILY,
    Hop,
    TrustedProxies,
    client_at,
    parse_address,
    parse_forwarded,
    parse_host,
    parse_list,
    parse_proto,
)
from ocgate.core.header_names import HeaderFamily
from ocgate_middleware.identify import record

FORWARDED_ORIGIN = "ocgate.forwarded_origin"
"""Scope key of the origin (bytes, `scheme://host`) that a trusted proxy told."""

ChainHeader = Literal["x-forwarded-for", "forwarded", "x-real-ip"]


class ForwardedMiddleware:
    """See the module docstring.

    `trusted` are networks in CIDR form; `trust_unix_socket` also believes peers without an
    address. Raises `ConfigError` for what is not a network, and for an unknown `header`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        trusted: Iterable[str] = (),
        header: ChainHeader = "x-forwarded-for",
        trust_unix_socket: bool = False,
    ) -> None:
        if header not in get_args(ChainHeader):
            raise ConfigError(f"{header!r}: expected one of {', '.join(get_args(ChainHeader))}")
        self.app = app
        self._trusted = TrustedProxies(trusted)
        self._header = header.encode()
        self._trust_unix_socket = trust_unix_socket
        self._family = HeaderFamily(FORWARDED_FAMILY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on without the family, and with what a trusted peer said in it."""
        if scope["type"] in ("http", "websocket"):
            present = scope["headers"]
            kept = self._family.without(present)
            if kept is not present:
                scope = {**scope, "headers": kept}
                if self._believes(scope.get("client")):
                    self._apply(scope, present)
        await self.app(scope, receive, send)

    def _believes(self, peer: tuple[str, int] | None) -> bool:
        if peer is None or not peer[0]:
            return self._trust_unix_socket
        return peer[0] in self._trusted

    def _apply(self, scope: Scope, headers: Iterable[tuple[bytes, bytes]]) -> None:
        said: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            if self._family[name]:
                said.setdefault(name, []).append(value)
        hop = self._hop(said)
        changes: dict[str, Any] = {}
        address = parse_address(hop.client)
        if address is not None:
            changes["client"] = (str(address), 0)
            record(scope, **{"remote-addr": str(address)})
        proto = parse_proto(hop.proto)
        host = parse_host(hop.host)
        if proto is not None:
            secure = proto == "https"
            websocket = scope["type"] == "websocket"
            changes["scheme"] = ("wss" if secure else "ws") if websocket else proto
        if proto is not None or host is not None:
            scheme = proto or scope["scheme"].replace("ws", "http")  # wss is https
            host = host or next((v for n, v in scope["headers"] if n == b"host"), b"")
            if host:
                changes[FORWARDED_ORIGIN] = f"{scheme}://".encode() + host
        scope.update(changes)

    def _hop(self, said: dict[bytes, list[bytes]]) -> Hop:
        """Return what the client's own hop looked like."""
        chain = said.get(self._header, [])
        if self._header == b"forwarded":
            hops = parse_forwarded(chain)
            at = client_at([hop.client for hop in hops], self._trusted)
            # Without a readable address the peer's own element still tells scheme and host.
            return hops[-1 if at is None else at] if hops else Hop()
        addresses = parse_list(chain)
        at = client_at(addresses, self._trusted)
        hop = -1 if at is None else at
        return Hop(
            "" if at is None else addresses[at],
            _at(parse_list(said.get(b"x-forwarded-proto", [])), hop, len(addresses)),
            _at(parse_list(said.get(b"x-forwarded-host", [])), hop, len(addresses)),
        )


def _at(values: list[str], hop: int, hops: int) -> str:
    """Return the value of that hop: proxies that append keep step, others write one value."""
    return values[hop] if len(values) == hops else values[-1]
