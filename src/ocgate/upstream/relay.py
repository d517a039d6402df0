"""The ASGI app that passes requests on to a backend and streams the answers back."""

from collections.abc import Iterable

from starlette.types import Message, Receive, Scope, Send

from ocgate.core.errors import BadGateway
from ocgate.core.header_names import Header
from ocgate.core.identity_headers import IDENTITY_FAMILY
from ocgate.upstream.balancer import Upstream
from ocgate.upstream.connection import SWITCHED, ClientGone
from ocgate.upstream.exchange import Exchange
from ocgate.upstream.mapping import AddressMap
from ocgate.upstream.outgoing_request import OutgoingRequest
from ocgate.upstream.request_heads import HeadersFor, RequestHeads
from ocgate.upstream.tunnel import offered, tunnel

_CLOSE: Header = (b"connection", b"close")


class Relay:
    """Reverse proxy to one `Upstream`.

        app = Relay(Upstream([Origin.parse("http://127.0.0.1:8081")]))

    `path_map` is a public and a backend path prefix (`(b"/files", b"/dav")`). `preserve_host`
    sends the client's Host, otherwise the backend's own. `strip` are patterns of headers that
    no client may send to the backend, in any spelling of `-`; `headers_for` returns those that
    the backend gets instead. `forward_authorization` sends `Authorization` on although it was
    used up at the gate. `allow_websocket` lets `Upgrade: websocket` through.

    Raises `Overloaded`, `BadGateway`, `GatewayTimeout`, `BadRequest` before the response
    started. After that, the same errors end the response half-way: the server then closes the
    client's connection, and a truncated body is never taken for a whole one.
    """

    def __init__(
        self,
        upstream: Upstream,
        *,
        path_map: tuple[bytes, bytes] | None = None,
        preserve_host: bool = True,
        strip: Iterable[str] = IDENTITY_FAMILY,
        headers_for: HeadersFor | None = None,
        forward_authorization: bool = False,
        allow_websocket: bool = False,
    ) -> None:
        public, backend = path_map or (b"", b"")
        self._upstream = upstream
        self._addresses = {
            pool: AddressMap(
                pool.origin, public=public, backend=backend, preserve_host=preserve_host
            )
            for pool in upstream.pools
        }
        self._heads = RequestHeads(
            strip=strip, headers_for=headers_for, forward_authorization=forward_authorization
        )
        self._allow_websocket = allow_websocket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Relay one request."""
        if scope["type"] != "http":
            raise BadGateway(f"a backend cannot be asked for {scope['type']}")
        request = self._heads.read(scope)
        takeover = offered(scope, request) if self._allow_websocket else None
        upstream = self._upstream
        repeatable = request.repeatable
        connection = upstream.take(repeatable=repeatable)
        if connection is None:
            connection = await upstream.acquire(repeatable=repeatable)
        exchange = Exchange(request, receive)
        exchange.connection = connection
        address = self._addresses[connection.pool]
        try:
            await exchange.ask(connection, address, upgrade=takeover is not None)
            if takeover is not None and exchange.connection.status == SWITCHED:
                exchange.unwatch()
                await tunnel(takeover, exchange.connection, scope)
                return
            await _answer(exchange, request, address, send)
        except ClientGone:
            return
        finally:
            exchange.end()


async def _answer(
    exchange: Exchange, request: OutgoingRequest, address: AddressMap, send: Send
) -> None:
    connection = exchange.connection
    status = connection.status
    if status < 200:  # noqa: PLR2004
        raise BadGateway("the backend switched protocols, which nobody asked for")
    headers = connection.headers
    if connection.has_location:
        headers = _public_locations(headers, request, address)
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    if not exchange.uploaded:
        start["headers"] = [*headers, _CLOSE]
    elif connection.complete:
        # the whole answer is here: nothing to wait for, nobody to watch
        start["ocgate.body_follows"] = True
        await send(start)
        await send({"type": "http.response.body", "body": connection.read_all()})
        return
    await send(start)
    exchange.watch()
    more = True
    while more:
        body = await connection.read()
        more = not connection.complete or bool(connection.chunks)
        if not more and not exchange.uploaded:
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await exchange.linger()
            body = b""
        await send({"type": "http.response.body", "body": body, "more_body": more})


def _public_locations(
    headers: list[Header], request: OutgoingRequest, address: AddressMap
) -> list[Header]:
    origin = request.public_origin()
    host = request.host_at(address)
    return [
        (name, address.location(value, origin, host))
        if name in (b"location", b"content-location")
        else (name, value)
        for name, value in headers
    ]
