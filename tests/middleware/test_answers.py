from collections.abc import Iterable

import pytest
from starlette.types import Receive, Scope, Send

from ocgate_middleware import answers
from ocgate_middleware.answers import DRAIN_BYTES, Header, answer
from tests.support.asgi import Answered, call, http


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await answer(scope, receive, send, status=403, headers=[(b"x-a", b"b")], body=b"no\n")


async def asked(
    method: str = "PUT", headers: Iterable[Header] = (), body: Iterable[bytes] = ()
) -> Answered:
    return await call(refuse, http(method, "/x", headers), body)


async def test_an_answer_is_whole() -> None:
    answered = await asked("GET")
    assert answered.status == 403
    assert answered.headers == [(b"x-a", b"b"), (b"content-length", b"3")]
    assert answered.body == b"no\n"
    assert answered.asked == 0, "without a body nothing is read"


async def test_head_has_the_head_of_get_and_no_body() -> None:
    answered = await asked("HEAD")
    assert answered.header(b"content-length") == b"3"
    assert answered.body == b""


@pytest.mark.parametrize(
    "headers", [[(b"content-length", b"8")], [(b"transfer-encoding", b"chunked")]]
)
async def test_a_small_body_is_read_and_the_connection_stays(
    headers: list[tuple[bytes, bytes]],
) -> None:
    answered = await asked(headers=headers, body=[b"four", b"more"])
    assert answered.asked == 2
    assert answered.header(b"connection") is None


async def test_a_large_body_is_left_and_the_connection_closed() -> None:
    parts = [b"x" * 16384] * 100
    answered = await asked(headers=[(b"content-length", b"1638400")], body=parts)
    assert answered.asked * 16384 <= DRAIN_BYTES + 16384
    assert answered.header(b"connection") == b"close"


async def test_a_body_that_waits_for_100_continue_is_not_asked_for() -> None:
    headers = [(b"content-length", b"4"), (b"expect", b"100-continue")]
    answered = await asked(headers=headers, body=[b"four"])
    assert answered.asked == 0
    assert answered.header(b"connection") == b"close"


async def test_a_client_that_stays_silent_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "DRAIN_SECONDS", 0.01)

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # all that the client has sent
        await refuse(scope, receive, send)

    answered = await call(silent, http("PUT", "/x", [(b"content-length", b"4")]))
    assert answered.status == 403
    assert answered.header(b"connection") == b"close"
