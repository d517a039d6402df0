"""Turning a client connection into a tunnel after a `101 Switching Protocols`.

The server offers `scope["extensions"]["ocgate.tunnel"]` for requests that ask for a WebSocket;
whoever relays them calls `take_over` once the backend has agreed.
"""

import asyncio
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl

TUNNEL = "ocgate.tunnel"
"""Key in the scope's `extensions`."""


class Tunnelled(Protocol):
    """What a tunnel needs of the connection that it takes over."""

    transport: asyncio.Transport
    flow: FlowControl

    def become_tunnel(self) -> bytes:
        """End HTTP on this connection; returns the bytes that came behind the request."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        ...


class Tunnel:
    """The offer: it may be taken once, and only before a response has started."""

    def __init__(self, connection: Tunnelled) -> None:
        self._connection = connection

    def take_over(self, head: bytes, receiver: asyncio.Protocol) -> asyncio.Transport:
        """Write `head` (a complete 101 response) and give all further client bytes to `receiver`.

        Returns the transport towards the client. `receiver` gets `data_received`, `eof_received`,
        `pause_writing`, `resume_writing` and, once, `connection_lost`; not `connection_made`. It
        gets bytes that came early before this method returns. Raises RuntimeError when it is too
        late.
        """
        connection = self._connection
        early = connection.become_tunnel()
        transport = connection.transport
        transport.set_protocol(_Tunnelling(connection, receiver))
        if connection.flow.write_paused:
            # of an earlier answer that is still unread; `resume_writing` goes to the receiver
            receiver.pause_writing()
        transport.write(head)
        if early:
            # at once, because a later turn of the loop may bring what the client sent after it
            receiver.data_received(early)
        transport.resume_reading()
        return transport


class _Tunnelling(asyncio.Protocol):
    """Hands everything on, and lets the server know when the connection is gone."""

    def __init__(self, connection: Tunnelled, receiver: asyncio.Protocol) -> None:
        self._connection = connection
        self._receiver = receiver

    def data_received(self, data: bytes) -> None:
        self._receiver.data_received(data)

    def eof_received(self) -> bool | None:
        return self._receiver.eof_received()

    def pause_writing(self) -> None:
        self._receiver.pause_writing()

    def resume_writing(self) -> None:
        self._receiver.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
        self._receiver.connection_lost(exc)
