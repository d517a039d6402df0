"""Turning a client connection into a tunnel after a `101 Switching Protocols`.

The server offers `scope["extensions"]["ocgate.tunnel"]` for requests that ask for a WebSocket;
whoever relays them calls `take_over` once the backend has agreed.
"""

import asyncio
from typing import Protocol

TUNNEL = "ocgate.tunnel"
"""Key in the scope's `extensions`."""


class Tunnelled(Protocol):
    """What a tunnel needs of the connection that it takes over."""

    transport: asyncio.Transport

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

        Returns the transport towards the client. `receiver` gets `data_received` for bytes that
        came early too, `eof_received`, `pause_writing`, `resume_writing` and, once,
        `connection_lost`; not `connection_made`. Raises RuntimeError when it is too late.
        """
        early = self._connection.become_tunnel()
        transport = self._connection.transport
        transport.write(head)
        transport.set_protocol(_Tunnelling(self._connection, receiver))
        if early:
            asyncio.get_running_loop().call_soon(receiver.data_received, early)
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
