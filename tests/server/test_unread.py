import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator

from ocgate.server.unread import unread_by_client

MUCH = 16 * 1024 * 1024


@contextlib.asynccontextmanager
async def connected() -> AsyncGenerator[tuple[asyncio.Transport, socket.socket]]:
    """Yield a transport and a client that does not read by itself."""
    ours, client = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    with client:
        client.settimeout(0)
        yield transport, client
        transport.abort()


async def test_nothing_is_unread_where_nothing_waits_in_the_process() -> None:
    async with connected() as (transport, _):
        assert unread_by_client(transport) == 0
        transport.write(b"x")
        assert unread_by_client(transport) == 0


async def test_what_the_kernel_holds_counts_too_and_gets_less_as_the_client_reads() -> None:
    async with connected() as (transport, client):
        transport.write(b"x" * MUCH)
        before = unread_by_client(transport)
        assert before > transport.get_write_buffer_size()
        got = len(await asyncio.get_running_loop().sock_recv(client, 50_000))
        assert got > 0
        assert unread_by_client(transport) < before
