"""A backend that does exactly what a test tells it, byte for byte."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Peer:
    """One connection from the gate. `received` is every byte of it."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.received = b""
        self._reader = reader
        self._writer = writer

    async def read(self, size: int = 65536) -> bytes:
        """Return what comes next, nothing once the gate has closed."""
        try:
            data = await asyncio.wait_for(self._reader.read(size), 20)
        except ConnectionError:
            data = b""
        self.received += data
        return data

    async def until(self, end: bytes) -> bytes:
        """Return everything up to and including `end`; EOFError if the gate closes before."""
        start = len(self.received)
        while end not in self.received[start:]:
            # one by one, so that nothing behind the end is taken
            if not await self.read(1):
                raise EOFError(self.received)
        return self.received[start:]

    async def head(self) -> bytes:
        """Return the head of the next request."""
        return await self.until(b"\r\n\r\n")

    async def exactly(self, size: int) -> bytes:
        """Return the next `size` bytes; EOFError if the gate closes before."""
        start = len(self.received)
        while (left := size - (len(self.received) - start)) > 0:
            if not await self.read(min(left, 65536)):
                raise EOFError(self.received)
        return self.received[start:]

    async def gone(self) -> bytes:
        """Wait until the gate has closed; return what it sent before."""
        start = len(self.received)
        while await self.read():
            pass
        return self.received[start:]

    async def write(self, data: bytes) -> None:
        """Send, or do nothing for a moment where the gate has closed."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            await asyncio.sleep(0.01)

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """Close with RST."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class ScriptedBackend:
    """Listens; `peers` are the connections in the order they came."""

    def __init__(self) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self.failures: list[BaseException] = []

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answering(*answers: bytes) -> Script:
    """Answer the requests (without bodies) of a connection with these, the last one for ever."""

    async def script(peer: Peer) -> None:
        number = 0
        with contextlib.suppress(EOFError):
            while True:
                await peer.head()
                await peer.write(answers[min(number, len(answers) - 1)])
                number += 1

    return script


@contextlib.asynccontextmanager
async def scripted(
    script: Script, *, tls: ssl.SSLContext | None = None, path: str | None = None, port: int = 0
) -> AsyncGenerator[ScriptedBackend]:
    """Run `script` for every connection; an error in it fails the test at the end.

    Listens on a port that the kernel chooses, on `port`, or on the unix socket `path`.
    """
    backend = ScriptedBackend()
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        peer = Peer(len(backend.peers), reader, writer)
        backend.peers.append(peer)
        try:
            await script(peer)
        except asyncio.CancelledError:
            pass
        except Exception as failure:  # noqa: BLE001
            backend.failures.append(failure)
        finally:
            running.discard(task)
            writer.close()

    if path is not None:
        server: asyncio.Server = await asyncio.start_unix_server(serve, path)
    else:
        server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=tls)
        backend.port = server.sockets[0].getsockname()[1]
    try:
        yield backend
    except Exception as error:
        for failure in backend.failures:
            error.add_note(f"the script failed, too: {failure!r}")
        raise
    finally:
        server.close()
        for task in tuple(running):
            task.cancel()
        while running:
            await asyncio.sleep(0.01)
    assert backend.failures == []
