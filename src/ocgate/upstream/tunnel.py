"""WebSocket through the gate: after the backend's 101, bytes pass both ways unread.

The handshake is RFC 6455 §4. A 101 counts only if the backend proves that it read our
handshake (`Sec-WebSocket-Accept`); otherwise a client could make the gate believe in a tunnel
and speak plain HTTP to the backend, past every check.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import Scope

from ocgate.core.errors import BadGateway
from ocgate.upstream.connection import HIGH, LOW, Connection
from ocgate.upstream.outgoing_request import OutgoingRequest

TUNNEL: Final = "ocgate.tunnel"
"""Key in `scope["extensions"]` of the server's `Takeover`."""

FLUSH_SECONDS: Final = 5.0
"""How long the backend may take to read the last bytes once the client has closed."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Takeover(Protocol):
    """What the server offers for a request that may become a tunnel."""

    def take_over(self, head: bytes, receiver: asyncio.Protocol) -> asyncio.Transport:
        """Write `head` to the client and give every further byte to `receiver`."""
        ...


def offered(scope: Scope, request: OutgoingRequest) -> Takeover | None:
    """Return the server's offer if this request asks for a WebSocket and may get one."""
    if request.upgrade != b"websocket" or request.method != "GET" or request.has_body:
        return None
    extensions: dict[str, Takeover] = scope.get("extensions") or {}
    return extensions.get(TUNNEL)


async def tunnel(takeover: Takeover, connection: Connection, scope: Scope) -> None:
    """Join the client with a backend that answered 101, until either of them closes.

    Raises BadGateway where the 101 is not the answer to this handshake.
    """
    _verify(connection, scope)
    ends = Ends(connection)
    connection.reusable = False
    ends.client = takeover.take_over(_head(connection), ends.from_client)
    ends.client.set_write_buffer_limits(high=HIGH, low=LOW)
    connection.tunnel = ends.from_backend
    if connection.write_paused:
        ends.client.pause_reading()
    if connection.surplus:
        ends.client.write(connection.surplus)
    if connection.lost:
        ends.from_backend.connection_lost(None)
    try:
        await ends.closing
        await asyncio.wait((ends.backend_lost,), timeout=FLUSH_SECONDS)
    finally:
        ends.close()


class Ends:
    """The two ends of a tunnel. What one end says is written to the other."""

    def __init__(self, connection: Connection) -> None:
        self.backend = connection.transport
        self.client: asyncio.Transport
        loop = asyncio.get_running_loop()
        self.closing: asyncio.Future[None] = loop.create_future()
        self.backend_lost: asyncio.Future[None] = loop.create_future()
        self.from_backend = _End(self, lambda: self.client, self.backend_lost)
        self.from_client = _End(self, lambda: self.backend, loop.create_future())

    def close(self) -> None:
        """Close both ends once they have taken what was written to them."""
        self.backend.close()
        self.client.close()
        if not self.closing.done():
            self.closing.set_result(None)


class _End(asyncio.Protocol):
    """Receives from one end."""

    def __init__(
        self, ends: Ends, other: Callable[[], asyncio.Transport], lost: asyncio.Future[None]
    ) -> None:
        self._ends = ends
        self._other = other
        self._lost = lost

    def data_received(self, data: bytes) -> None:
        self._other().write(data)

    def eof_received(self) -> None:
        self._ends.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if not self._lost.done():
            self._lost.set_result(None)
        self._ends.close()

    # One end is slow in taking: the other one is not read meanwhile.

    def pause_writing(self) -> None:
        self._other().pause_reading()

    def resume_writing(self) -> None:
        other = self._other()
        if not other.is_closing():
            other.resume_reading()


def _verify(connection: Connection, scope: Scope) -> None:
    key = b""
    for name, value in scope["headers"]:
        if name == b"sec-websocket-key":
            key = value.strip()
    # SHA-1 is what RFC 6455 prescribes; it proves an answer here and protects nothing
    expected = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    accepts = [value for name, value in connection.headers if name == b"sec-websocket-accept"]
    options = connection.options or frozenset()
    if (
        not key
        or connection.upgrade != b"websocket"
        or b"upgrade" not in options
        or [value.strip() for value in accepts] != [expected]
    ):
        raise BadGateway("the backend's answer to the WebSocket handshake is wrong")


def _head(connection: Connection) -> bytes:
    lines = [b"HTTP/1.1 101 Switching Protocols"]
    lines += (b": ".join(header) for header in connection.headers)
    lines += (b"connection: upgrade", b"upgrade: websocket", b"", b"")
    return b"\r\n".join(lines)
