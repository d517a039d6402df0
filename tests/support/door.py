"""The server protocol in this process, on a real socket, with an app that remembers."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.server.limits import Limits
from ocgate.server.run import GateServer
from ocgate.server.tls import TLSSettings

Header = tuple[bytes, bytes]

HEALTH = b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class Seen:
    """A request as the app saw it; `complete` once the body was there to its end."""

    method: str
    target: bytes
    headers: list[Header]
    body: bytes = b""
    complete: bool = False
    disconnected: bool = False
    scope: Scope = field(default_factory=dict[str, object])


class RecordingApp:
    """Reads each body and answers `200 ok`; `/deny…` is a 401 without reading."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        target = scope["raw_path"] + (scope["query_string"] and b"?" + scope["query_string"])
        seen = Seen(scope["method"], target, scope["headers"], scope=scope)
        if target != b"/health":
            self.seen.append(seen)
        if target.startswith(b"/deny"):
            await respond(send, 401, b"no")
            return
        while not seen.complete:
            message = await receive()
            if message["type"] == "http.disconnect":
                seen.disconnected = True
                return
            seen.body += message["body"]
            seen.complete = not message["more_body"]
        await respond(send, 200, b"ok")


async def lifespan(receive: Receive, send: Send) -> None:
    """Agree to everything."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return


async def respond(send: Send, status: int, body: bytes, *headers: Header) -> None:
    """Send a whole response of known length."""
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


class Door:
    """A running server; `connect` gives a raw socket, `exchange` reads until the end."""

    def __init__(
        self, server: GateServer, urls: list[str], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.server = server
        self.url = urls[0]
        self.loop = loop

    def connect(self, seconds: float = 10) -> socket.socket:
        """Open a connection."""
        host, port = self.url.rpartition("/")[2].rsplit(":", 1)
        return socket.create_connection((host, int(port)), timeout=seconds)

    def exchange(self, *parts: bytes, pause: float = 0.02) -> bytes:
        """Send the parts as separate packets; return everything up to the end of the connection."""
        with self.connect() as client:
            for number, part in enumerate(parts):
                if number:
                    time.sleep(pause)
                with contextlib.suppress(OSError):
                    client.sendall(part)
            return read_all(client)

    def is_healthy(self) -> bool:
        """Say whether a new connection gets its own answer."""
        return self.exchange(HEALTH).startswith(b"HTTP/1.1 200 ")

    def stop(self) -> None:
        """Begin the stop, as a signal would."""
        self.server.should_exit = True

    @property
    def connections(self) -> int:
        """How many connections the server has open."""
        return len(self.server.server_state.connections)


@contextlib.contextmanager
def door(
    app: ASGIApp,
    *,
    limits: Limits | None = None,
    tls: TLSSettings | None = None,
    uds: Path | None = None,
    grace: float = 2,
) -> Generator[Door]:
    """Serve `app` in a thread on a port that the kernel chooses."""
    listening = threading.Event()
    started: list[Door] = []

    async def serve() -> None:
        def on_listening(urls: list[str]) -> None:
            started.append(Door(server, urls, asyncio.get_running_loop()))
            listening.set()

        server = GateServer(
            app,
            addr="127.0.0.1:0",
            limits=limits,
            tls=tls,
            uds=uds,
            grace=grace,
            on_listening=on_listening,
        )
        await server.serve()

    def main() -> None:
        import uvloop  # noqa: PLC0415

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=main, daemon=True)
    thread.start()
    assert listening.wait(10), "the server did not start"
    try:
        yield started[0]
    finally:
        started[0].stop()
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"


def read_all(client: socket.socket) -> bytes:
    """Read until the other side ends the connection, in whichever way."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while part := client.recv(65536):
            received += part
    return bytes(received)


def read_response(client: socket.socket) -> bytes:
    """Read one response whose length is known from its `Content-Length`."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = client.recv(65536)
        if not part:
            return received
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def status_of(response: bytes) -> int:
    """Return the status of the first response, 0 if there is none."""
    return int(response[9:12]) if response.startswith(b"HTTP/1.1 ") else 0


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    """Poll until the condition holds; say whether it did in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
