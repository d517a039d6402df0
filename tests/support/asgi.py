"""Calling one ASGI app without a server: scopes, bodies and what came back."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Header = tuple[bytes, bytes]


@dataclass
class Answered:
    """A response as it was sent, message by message."""

    messages: list[Message] = field(default_factory=list[Message])
    asked: int = 0
    """How often the app asked for more of the request's body."""

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> list[Header]:
        return list(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    def every(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: bytes) -> bytes | None:
        return next(iter(self.every(name)), None)


def http(
    method: str = "GET",
    target: str = "/",
    headers: Iterable[Header] = (),
    client: tuple[str, int] | None = ("192.0.2.7", 50000),
    more: Mapping[str, Any] | None = None,
) -> Scope:
    """Make a scope; `more` adds keys to it."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"files.example.org"), *headers],
        "client": client,
        "server": ("127.0.0.1", 80),
        **(more or {}),
    }


async def call(app: ASGIApp, scope: Scope, body: Iterable[bytes] = ()) -> Answered:
    """Call the app; after `body` the client stays silent."""
    answered = Answered()
    parts = list(body)
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": n < len(parts)}
        for n, part in enumerate(parts, 1)
    ] or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        answered.asked += 1
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(message: Message) -> None:
        answered.messages.append(message)

    await app(scope, receive, send)
    return answered


class Upstream:
    """An app that says 200 and remembers the scopes that reached it."""

    def __init__(self, headers: Iterable[Header] = (), body: bytes = b"hello") -> None:
        self.scopes: list[dict[str, Any]] = []
        self._headers = list(headers)
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(dict(scope))
        if scope["type"] != "http":
            return
        headers = list(self._headers)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})
