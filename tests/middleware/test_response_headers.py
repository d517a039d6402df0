from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocgate_middleware.response_headers import Header, edited, setting


class Adds:
    """A middleware in the form of ours: one edit."""

    def __init__(self, app: ASGIApp, *headers: Header) -> None:
        self.app = app
        self.edit = setting(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, send = edited(scope, send, self.edit)
        await self.app(scope, receive, send)


async def backend(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/plain"), (b"X-One", b"backend's own")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x"})


async def answer(app: Adds) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app({"type": "http"}, receive, send)
    return sent


async def test_a_header_is_set_once_whatever_its_case_was() -> None:
    start, body = await answer(Adds(backend, (b"x-one", b"ours")))
    assert start["headers"] == [(b"content-type", b"text/plain"), (b"x-one", b"ours")]
    assert body["body"] == b"x"


async def test_a_stack_sets_all_headers_and_the_outermost_has_the_last_word() -> None:
    app = Adds(Adds(Adds(backend, (b"a", b"1")), (b"b", b"2")), (b"c", b"3"), (b"a", b"outer"))
    start, _ = await answer(app)
    assert start["headers"][2:] == [(b"b", b"2"), (b"c", b"3"), (b"a", b"outer")]


async def test_only_the_outermost_wraps_send() -> None:
    async def send(message: Message) -> None: ...

    scope, first = edited({"type": "http"}, send, setting([]))
    _, second = edited(scope, first, setting([]))
    assert first is not send
    assert second is first
