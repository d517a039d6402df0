import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from ocgate.server.tunnel import TUNNEL
from tests.support.door import Door, door, eventually, lifespan, read_all, respond, status_of

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
BIG = b"x" * 8_000_000
ASK = b"GET %b HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"


class Echo(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.early = b""
        self.lost = 0
        self.pauses: list[bool] = []

    def pause_writing(self) -> None:
        self.pauses.append(True)

    def resume_writing(self) -> None:
        self.pauses.append(False)

    def data_received(self, data: bytes) -> None:
        if self.transport is None:
            self.early += data
        else:
            self.transport.write(b"<" + data + b">")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost += 1


class TunnellingApp:
    """Takes `/ws` over when it may and answers everything else."""

    def __init__(self) -> None:
        self.echo = Echo()
        self.offered: list[bool] = []
        self.tunnels_twice = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        tunnel = scope.get("extensions", {}).get(TUNNEL)
        self.offered.append(tunnel is not None)
        if scope["path"] == "/big":
            await respond(send, 200, BIG)
            return
        if tunnel is None or scope["path"] != "/ws":
            await respond(send, 200, b"ok")
            return
        transport: asyncio.Transport = tunnel.take_over(HEAD, self.echo)
        transport.write(self.echo.early)
        self.echo.transport = transport
        if self.tunnels_twice:
            with pytest.raises(RuntimeError):
                tunnel.take_over(HEAD, self.echo)


@pytest.fixture
def app() -> TunnellingApp:
    return TunnellingApp()


@pytest.fixture
def server(app: TunnellingApp) -> Iterator[Door]:
    with door(app) as running:
        yield running


def test_a_websocket_request_becomes_a_tunnel(server: Door, app: TunnellingApp) -> None:
    with server.connect() as client:
        client.sendall(ASK % (b"/ws", b"WebSocket"))
        assert client.recv(1000) == HEAD
        client.sendall(b"GET /smuggled HTTP/1.1\r\n\r\n")
        assert client.recv(1000) == b"<GET /smuggled HTTP/1.1\r\n\r\n>"
    assert eventually(lambda: app.echo.lost == 1)
    assert app.offered == [True]
    assert eventually(lambda: server.connections == 0)


def test_bytes_that_came_early_reach_the_receiver_before_the_take_over_is_done(
    server: Door, app: TunnellingApp
) -> None:
    with server.connect() as client:
        client.sendall(ASK % (b"/ws", b"websocket") + b"early")
        received = b""
        while len(received) < len(HEAD) + 5:
            received += client.recv(1000)
    assert received == HEAD + b"early"
    assert app.echo.early == b"early"


def test_a_receiver_is_told_that_the_client_has_not_read_the_answer_before(
    server: Door, app: TunnellingApp
) -> None:
    with server.connect() as client:
        client.sendall(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n" + ASK % (b"/ws", b"websocket"))
        assert eventually(lambda: app.echo.transport is not None)
        assert app.echo.pauses == [True]
        received = b""
        while not received.endswith(HEAD):
            received += client.recv(1_000_000)
        assert BIG in received
        assert eventually(lambda: app.echo.pauses == [True, False])


def test_a_tunnel_is_taken_once(server: Door, app: TunnellingApp) -> None:
    app.tunnels_twice = True
    with server.connect() as client:
        client.sendall(ASK % (b"/ws", b"websocket"))
        assert client.recv(1000) == HEAD


def test_an_upgrade_that_nobody_takes_ends_with_its_answer(
    server: Door, app: TunnellingApp
) -> None:
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    answer = server.exchange(ASK % (b"/other", b"websocket") + smuggled, smuggled)
    assert status_of(answer) == 200
    assert b"connection: close" in answer
    assert answer.count(b"HTTP/1.1 ") == 1
    assert app.offered == [True]


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket, h2c", b"TLS/1.0"])
def test_other_upgrades_are_not_offered(server: Door, app: TunnellingApp, protocol: bytes) -> None:
    assert status_of(server.exchange(ASK % (b"/ws", protocol))) == 200
    assert app.offered == [False]


def test_the_upgrade_header_alone_is_an_ordinary_request(server: Door, app: TunnellingApp) -> None:
    sent = b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: close\r\n\r\n"
    assert status_of(server.exchange(sent)) == 200
    assert app.offered == [False]


def test_a_stop_ends_tunnels(server: Door, app: TunnellingApp) -> None:
    with server.connect() as client:
        client.sendall(ASK % (b"/ws", b"websocket"))
        assert client.recv(1000) == HEAD
        server.stop()
        assert read_all(client) == b""
    assert eventually(lambda: app.echo.lost == 1)
