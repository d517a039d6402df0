"""Deadlines of a connection, with limits that a test can wait for."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from starlette.types import Receive, Scope, Send

from ocgate.server.limits import Limits
from tests.support.door import (
    Door,
    RecordingApp,
    door,
    eventually,
    lifespan,
    read_all,
    read_response,
    respond,
    status_of,
)

SHORT = Limits(
    head_seconds=0.3,
    keep_alive_seconds=0.3,
    body_idle_seconds=0.3,
    body_window_seconds=0.5,
    body_window_bytes=10,
    write_stall_seconds=0.3,
    drain_seconds=0.3,
    stop_idle_seconds=0.1,
)
POST = b"POST /p HTTP/1.1\r\nHost: h\r\n"


@pytest.fixture(scope="module")
def app() -> RecordingApp:
    return RecordingApp()


@pytest.fixture(scope="module")
def server(app: RecordingApp) -> Iterator[Door]:
    with door(app, limits=SHORT) as running:
        yield running


@pytest.fixture(autouse=True)
def forgotten(app: RecordingApp) -> None:
    app.seen.clear()


@pytest.mark.parametrize(
    "sent", [b"G", b"GET / HTTP/1.1\r\nHost: h\r\n", b"\r\n\r\n", b"GET /" + b"a" * 99]
)
def test_a_head_that_does_not_get_complete_is_a_408(
    server: Door, app: RecordingApp, sent: bytes
) -> None:
    answer = server.exchange(sent)
    assert status_of(answer) == 408
    assert b"connection: close" in answer
    assert app.seen == []


def test_a_head_that_trickles_in_is_a_408(server: Door) -> None:
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n")
        client.settimeout(0.05)
        answer = b""
        for _ in range(200):
            try:
                answer = client.recv(1000)
                break
            except TimeoutError:
                client.sendall(b"X: y\r\n")
    assert status_of(answer) == 408


def test_a_connection_without_a_request_is_closed_in_silence(server: Door) -> None:
    assert server.exchange(b"") == b""


def test_an_idle_connection_is_closed_in_silence(server: Door) -> None:
    answer = server.exchange(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" not in answer


def test_two_hundred_half_sent_heads_are_cut_and_hinder_nobody(server: Door) -> None:
    held = [server.connect() for _ in range(200)]
    try:
        for client in held:
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n")
        assert server.is_healthy()
        assert all(status_of(read_all(client)) == 408 for client in held)
    finally:
        for client in held:
            client.close()
    assert eventually(lambda: server.connections == 0)
    assert server.is_healthy()


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 9\r\n\r\nab", b"Transfer-Encoding: chunked\r\n\r\n"]
)
def test_a_body_that_stops_coming_is_a_408_and_a_disconnect(
    server: Door, app: RecordingApp, framing: bytes
) -> None:
    assert status_of(server.exchange(POST + framing)) == 408
    assert eventually(lambda: app.seen[0].disconnected)
    assert not app.seen[0].complete


def test_a_body_that_trickles_is_cut_too(server: Door, app: RecordingApp) -> None:
    with server.connect() as client:
        client.sendall(POST + b"Content-Length: 100000\r\n\r\n")
        client.settimeout(0.1)
        answer = b""
        for _ in range(200):
            try:
                answer = client.recv(1000)
                break
            except TimeoutError:
                client.sendall(b"x")
    assert status_of(answer) == 408
    assert eventually(lambda: app.seen[0].disconnected)


def test_a_slow_body_with_enough_bytes_arrives(server: Door, app: RecordingApp) -> None:
    parts = [b"x" * 20] * 10
    answer = server.exchange(
        POST + b"Connection: close\r\nContent-Length: 200\r\n\r\n", *parts, pause=0.1
    )
    assert status_of(answer) == 200
    assert app.seen[0].body == b"x" * 200


class Stubborn:
    """Answers `/read` without end; reads the body of anything else only when it is told to."""

    def __init__(self) -> None:
        self.may_read = False
        self.ended = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["path"] == "/read":
            await self.answer_without_end(receive, send)
        else:
            while not self.may_read:
                await asyncio.sleep(0.01)
            size, more = 0, True
            while more:
                message = await receive()
                size += len(message["body"])
                more = message["more_body"]
            await respond(send, 200, b"%d" % size)

    async def answer_without_end(self, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(receive_to_the_end(receive))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not gone.done():
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await asyncio.sleep(0)
        self.ended += 1


async def receive_to_the_end(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def test_a_client_that_reads_nothing_is_cut(app: RecordingApp) -> None:
    stubborn = Stubborn()
    with door(stubborn, limits=SHORT) as server:
        held = [server.connect() for _ in range(20)]
        for client in held:
            client.sendall(b"GET /read HTTP/1.1\r\nHost: h\r\n\r\n")
        assert eventually(lambda: stubborn.ended == 20)
        assert server.connections == 0
        for client in held:
            assert not read_all(client).endswith(b"0\r\n\r\n")
            client.close()


def test_a_client_that_reads_slowly_is_not_cut() -> None:
    stubborn = Stubborn()
    with door(stubborn, limits=SHORT) as server, server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /read HTTP/1.1\r\nHost: h\r\n\r\n")
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            assert client.recv(500_000)
            time.sleep(0.02)
        assert stubborn.ended == 0


def test_a_client_is_not_blamed_while_the_app_does_not_read() -> None:
    stubborn = Stubborn()
    size = 8 * 1024 * 1024
    with door(stubborn, limits=SHORT) as server, server.connect() as client:
        client.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size)
        sender = threading.Thread(target=client.sendall, args=(b"x" * size,))
        sender.start()
        time.sleep(0.8)
        stubborn.may_read = True
        assert read_all(client).endswith(b"\r\n\r\n%d" % size)
        sender.join()


def test_a_refused_body_that_does_not_come_ends_the_connection(server: Door) -> None:
    with server.connect() as client:
        client.sendall(b"PUT /deny HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab")
        assert status_of(read_response(client)) == 401
        assert read_all(client) == b""


def test_an_answer_arrives_although_the_client_is_still_sending(server: Door) -> None:
    with server.connect() as client:
        client.sendall(b"PUT /deny HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(20):
                client.sendall(b"x" * 65536)
                time.sleep(0.001)
        assert status_of(read_response(client)) == 401


def test_more_connections_than_allowed_in_total_are_refused_at_once(app: RecordingApp) -> None:
    with door(app, limits=Limits(connections=2)) as server:
        held = [server.connect() for _ in range(2)]
        assert eventually(lambda: server.connections == 2)
        answer = server.exchange(b"")
        assert status_of(answer) == 503
        assert answer.endswith(b"There are too many connections.\n")
        held.pop().close()
        assert eventually(server.is_healthy)
        held.pop().close()
