"""What an application's messages become on the wire."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl

from ocgate.server.cycle import Cycle
from ocgate.server.limits import Limits
from tests.support.door import Door, door, eventually, lifespan, status_of

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]


def app_of(handler: Handler) -> Handler:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        else:
            await handler(scope, receive, send)

    return app


def sending(*messages: Message) -> Handler:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app_of(app)


def start(*headers: Header, status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes = b"", *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": content, "more_body": more}


def asked(app: Handler, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    with door(app) as server:
        return ask(server, method, version)


def ask(server: Door, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    request = b"%b /a HTTP/%b\r\nHost: h\r\nConnection: close\r\n\r\n" % (method, version)
    return server.exchange(request)


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (
            [start((b"content-length", b"2"), (b"X-A", b"b")), body(b"ok")],
            OK + b"x-a: b\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
        ),
        (
            [start(), body(b"abc", more=True), body(b"", more=True), body(b"de")],
            OK + b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        ),
        (
            [start((b"transfer-encoding", b"chunked"), (b"content-length", b"2")), body(b"ok")],
            OK + b"content-length: 2\r\nconnection: close\r\n\r\nok",
        ),
        (
            [start((b"connection", b"keep-alive"), (b"content-length", b"0")), body()],
            OK + b"content-length: 0\r\nconnection: close\r\n\r\n",
        ),
        (
            [start((b"content-length", b"7"), status=304), body()],
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\nconnection: close\r\n\r\n",
        ),
        (
            [start((b"content-length", b"0"), status=204), body()],
            b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n",
        ),
        (
            [start((b"content-length", b"200000")), body(b"x" * 200_000)],
            OK + b"content-length: 200000\r\nconnection: close\r\n\r\n" + b"x" * 200_000,
        ),
    ],
)
def test_a_response_has_one_framing_of_ours(messages: list[Message], expected: bytes) -> None:
    assert asked(sending(*messages)) == expected


def test_an_answer_to_head_keeps_its_length_and_has_no_body() -> None:
    answer = asked(sending(start((b"content-length", b"2")), body(b"ok")), b"HEAD")
    assert answer == OK + b"content-length: 2\r\nconnection: close\r\n\r\n"
    answer = asked(sending(start(), body(b"ok")), b"HEAD")
    assert answer == OK + b"connection: close\r\n\r\n"


def test_an_http_1_0_client_never_gets_chunks() -> None:
    answer = asked(sending(start(), body(b"abc", more=True), body(b"de")), version=b"1.0")
    assert answer == OK + b"connection: close\r\n\r\nabcde"


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nSet-Cookie: b"),
        (b"x", b"a\nb"),
        (b"x", b"a\rb"),
        (b"x", b"a\x00b"),
        (b"x\r\ny", b"a"),
        (b"x\x7f", b"a"),
        (b"content-length", b"-1"),
        (b"content-length", b"1, 1"),
        (b"content-length", b"\xb2"),
    ],
)
def test_a_header_with_a_line_end_is_a_500(header: Header) -> None:
    answer = asked(sending(start(header), body(b"x")))
    assert status_of(answer) == 500
    assert b"Cookie" not in answer
    assert status_of(asked(sending(start((b"x", b"a\tb\xff")), body(b"x")))) == 200


@pytest.mark.parametrize(
    "messages",
    [
        [start((b"content-length", b"5")), body(b"abc")],
        [start((b"content-length", b"5")), body(b"abc", more=True)],
        [start((b"content-length", b"5")), body(b"abc", more=True), body(b"defg")],
        [start(), body(b"abc", more=True)],
        [start(), body(b"abc", more=True), start()],
    ],
)
def test_a_response_that_breaks_off_never_looks_complete(messages: list[Message]) -> None:
    answer = asked(sending(*messages))
    assert not answer.endswith(b"0\r\n\r\n")
    assert b"content-length: 5" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < 5


@pytest.mark.parametrize("messages", [[], [body(b"x")], [{"type": "nonsense"}]])
def test_an_app_that_does_not_answer_is_a_500(messages: list[Message]) -> None:
    assert status_of(asked(sending(*messages))) == 500


def test_an_app_that_fails_is_a_500_without_its_reason() -> None:
    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ValueError("secret")

    answer = asked(app_of(fail))
    assert status_of(answer) == 500
    assert b"secret" not in answer


def test_a_head_does_not_wait_for_its_body() -> None:
    may_go_on = asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start())
        await may_go_on.wait()
        await send(body(b"ok"))

    with door(app_of(slow)) as server, server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.recv(1000) == OK + b"transfer-encoding: chunked\r\n\r\n"
        server.loop.call_soon_threadsafe(may_go_on.set)
        assert client.recv(1000) == b"2\r\nok\r\n0\r\n\r\n"


def test_two_tasks_may_wait_for_the_client_at_once() -> None:
    kinds: list[str] = []

    async def watching(_scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        tasks = [asyncio.create_task(receive_kind(receive)) for _ in range(2)]
        await asyncio.sleep(0)
        await send(start())
        await send(body(b"ok"))
        kinds.extend([await task for task in tasks])

    assert asked(app_of(watching)).endswith(b"2\r\nok\r\n0\r\n\r\n")
    assert kinds == ["http.disconnect"] * 2


async def receive_kind(receive: Receive) -> str:
    return str((await receive())["type"])


def test_a_client_that_leaves_is_a_disconnect() -> None:
    kinds: list[str] = []

    async def waiting(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        kinds.append(await receive_kind(receive))
        await send(start())
        await send(body(b"to nobody"))

    with door(app_of(waiting)) as server:
        with server.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert eventually(lambda: kinds == ["http.disconnect"])


async def test_large_parts_of_a_body_are_handed_on_as_they_came_and_small_ones_together() -> None:
    large = [b"a" * 20_000, b"b" * 20_000]
    cycle = Cycle(Still(), {}, keep_alive=True, expects_continue=False)
    for part in [large[0], b"1", b"2", large[1], b"3", b"4"]:
        cycle.feed(part)
    cycle.end()
    messages = [await cycle.receive() for _ in range(4)]
    assert messages[0]["body"] is large[0]
    assert messages[1]["body"] == b"12"
    assert messages[2]["body"] is large[1]
    assert messages[3] == {"type": "http.request", "body": b"34", "more_body": False}
    assert [message["more_body"] for message in messages] == [True, True, True, False]
    assert cycle.buffered == 0


async def test_reading_goes_on_once_little_is_waiting() -> None:
    connection = Still()
    cycle = Cycle(connection, {}, keep_alive=True, expects_continue=False)
    for _ in range(4):
        cycle.feed(b"a" * 20_000)
    connection.flow.pause_reading()
    await cycle.receive()
    assert connection.flow.read_paused
    await cycle.receive()
    assert not connection.flow.read_paused


class Still:
    """A connection on which nothing happens."""

    limits: ClassVar[Limits] = Limits(body_buffer_bytes=50_000)

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport = StillTransport()
        self.flow = FlowControl(self.transport)

    def can_be_kept(self, _cycle: Cycle, /) -> bool:
        return True

    def response_done(self, _cycle: Cycle, /) -> None:
        pass


class StillTransport(asyncio.Transport):
    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass
