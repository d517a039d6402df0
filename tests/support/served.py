"""An ASGI app behind a real uvicorn (httptools, uvloop) in this process, and raw clients."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncGenerator, Awaitable, Generator
from dataclasses import dataclass
from typing import Literal

import uvicorn
from starlette.types import ASGIApp


@contextlib.contextmanager
def served(
    app: ASGIApp, *, http: type[asyncio.Protocol] | Literal["httptools"] = "httptools"
) -> Generator[int]:
    """Serve on a port that the kernel chooses, in a thread with its own uvloop."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=http,
                loop="uvloop",
                ws="none",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                log_config=None,
                timeout_graceful_shutdown=1,
            )
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive(), "uvicorn did not stop"


@dataclass(frozen=True, slots=True)
class Head:
    """The status line and the fields of an answer, names in lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key == name), None)


class Truncated(Exception):
    """The answer ended before its framing says so."""


class Client:
    """One connection, read and written as raw bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self) -> Head:
        """Read the head of the next answer."""
        raw = (await _soon(self.reader.readuntil(b"\r\n\r\n"))).decode("latin-1")
        status_line, *lines = raw.removesuffix("\r\n\r\n").split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        return Head(int(status_line.split()[1]), tuple((n.lower(), v.strip()) for n, v in pairs))

    async def body(self, head: Head) -> bytes:
        """Read the whole body; raises Truncated where the connection ends before it does."""
        try:
            if head["transfer-encoding"] == "chunked":
                return await self._chunks()
            return await _soon(self.reader.readexactly(int(head["content-length"] or 0)))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Truncated from error

    async def answer(self) -> tuple[Head, bytes]:
        """Read the next answer."""
        head = await self.head()
        return head, await self.body(head)

    async def ask(self, data: bytes) -> tuple[Head, bytes]:
        await self.send(data)
        return await self.answer()

    async def ended(self) -> bytes:
        """Return what still comes until the server closes."""
        try:
            return await _soon(self.reader.read())
        except ConnectionError:
            return b""

    def abort(self) -> None:
        """Leave without a word."""
        self.writer.transport.abort()

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int(await _soon(self.reader.readuntil(b"\r\n")), 16)
            body += (await _soon(self.reader.readexactly(size + 2)))[:-2]
            if size == 0:
                return body


async def _soon(result: Awaitable[bytes]) -> bytes:
    return await asyncio.wait_for(result, 20)


@contextlib.asynccontextmanager
async def client(port: int) -> AsyncGenerator[Client]:
    """Connect to 127.0.0.1."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
