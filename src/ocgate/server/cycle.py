"""One request and its response between the connection and the application (ASGI HTTP 2.3).

Differs from uvicorn's cycle in what a gate needs: the framing of a response is always ours,
HTTP/1.0 clients never get chunks, answers to HEAD and 304 may carry a `Content-Length`, a
response that broke off never looks complete, and the head goes out together with the first
part of the body.
"""

import asyncio
import logging
from collections import deque
from typing import ClassVar, Protocol

from starlette.types import ASGIApp, Message, Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from ocgate.core.errors import OcgateError
from ocgate.server.fields import BODY_FOLLOWS, CONTROLS, FIELDS, FRAMING, Fields
from ocgate.server.limits import Limits

log = logging.getLogger("ocgate.server")

_WITHOUT_BODY = frozenset((204, 304))
_NO_CONTENT = 204
# Larger parts are handed on as they are instead of being copied next to each other.
_COPIED = 16 * 1024


class Connection(Protocol):
    """What a cycle needs of its connection."""

    limits: ClassVar[Limits]
    transport: asyncio.Transport
    flow: FlowControl
    loop: asyncio.AbstractEventLoop

    def can_be_kept(self, cycle: "Cycle", /) -> bool:
        """Say whether the connection can outlive a response that starts at this moment."""
        ...

    def response_done(self, cycle: "Cycle", /) -> None:
        """Go on with the connection after a complete response."""
        ...


class Cycle(RequestResponseCycle):
    """See the module docstring.

    The connection adds to the body with `feed` and `end`; the application takes it with
    `receive` and answers with `send`.
    """

    def __init__(
        self, connection: Connection, scope: Scope, *, keep_alive: bool, expects_continue: bool
    ) -> None:
        # uvicorn's constructor is left out: all state that it would make is here
        self.connection = connection
        self.scope = scope  # type: ignore[assignment]
        self.transport = connection.transport
        self.flow = connection.flow
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expects_continue
        self.disconnected = False
        self.response_started = False
        self.response_complete = False
        self.more_body = True
        self.buffered = 0
        self._parts: deque[bytes] = deque()
        self._end_received = False
        self._news: asyncio.Event | None = None
        self._head: bytes | None = None
        self._bodiless = False
        self._chunked = False
        self._left: int | None = None

    # What the connection tells

    def feed(self, part: bytes) -> None:
        """Take a part of the request body."""
        self._parts.append(part)
        self.buffered += len(part)
        self._wake()

    def end(self) -> None:
        """Take note that the request body is complete."""
        self.more_body = False
        self._wake()

    def disconnect(self) -> None:
        """Take note that the client is gone, or that its request turned out to be broken."""
        self.disconnected = True
        self._wake()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()

    # What the application calls

    async def run_asgi(self, app: ASGIApp) -> None:  # type: ignore[override]
        """Run the application; a response that it leaves undone is a 500 or a broken connection."""
        try:
            await app(self.scope, self.receive, self.send)  # type: ignore[arg-type]
        except asyncio.CancelledError:
            self.transport.abort()
            return
        except OcgateError as error:
            fields = {"error": str(error), "detail": error.detail, "path": self.scope["path"]}
            log.error("an answer broke off", extra={"fields": fields})  # noqa: TRY400 - a known way
        except Exception:
            log.exception("the application failed")
        if self.response_complete or self.disconnected:
            return
        if self.response_started:
            # Without a last chunk or the whole length: the client sees that it is incomplete.
            self._flush()
            self.transport.abort() if self._left is None else self.transport.close()
            return
        await self.send_500_response()

    async def receive(self) -> Message:  # type: ignore[override]
        """Return the next part of the body, or wait for the client to leave."""
        if self.waiting_for_100_continue and not self.response_started:
            self.waiting_for_100_continue = False
            if self.more_body and not self._parts and not self.transport.is_closing():
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self.disconnected and not self.response_complete:
            if self._parts or not (self.more_body or self._end_received):
                return self._taken()
            self.flow.resume_reading()
            if self._news is None:
                self._news = asyncio.Event()
            await self._news.wait()
            self._news.clear()
        return {"type": "http.disconnect"}

    def _taken(self) -> Message:
        parts = self._parts
        body = parts.popleft() if parts else b""
        if parts and len(body) + len(parts[0]) <= _COPIED:
            body = self._joined(body)
        self.buffered -= len(body)
        more = self.more_body or bool(parts)
        self._end_received = not more
        if self.buffered <= self.connection.limits.body_buffer_bytes:
            self.flow.resume_reading()
        return {"type": "http.request", "body": body, "more_body": more}

    def _joined(self, body: bytes) -> bytes:
        """Return that part together with the small ones behind it."""
        parts = self._parts
        small = [body]
        size = len(body)
        while parts and size + len(parts[0]) <= _COPIED:
            small.append(parts.popleft())
            size += len(small[-1])
        return b"".join(small)

    async def send(self, message: Message) -> None:  # type: ignore[override]
        """Send a part of the response, as soon as the client reads it."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.response_started:
            if kind != "http.response.start":
                raise RuntimeError(f"{kind} came before http.response.start")
            self._start(message)
        elif self.response_complete or kind != "http.response.body":
            raise RuntimeError(f"{kind} came after the response had started or ended")
        else:
            self._continue(message.get("body", b""), more=message.get("more_body", False))

    def _start(self, message: Message) -> None:
        status: int = message["status"]
        lines = [STATUS_LINE[status]]
        count = 1
        length: int | None = None
        for given, value in message.get("headers", ()):
            name = given.lower()
            if name in FRAMING:
                if name == b"content-length":
                    length = _one_length(length, value)
                elif name == b"connection" and b"close" in value.lower():
                    self.keep_alive = False
                continue
            lines += (name, b": ", value, b"\r\n")
            count += 1
        count += self._frame(status, length, lines)
        if not self.connection.can_be_kept(self):
            self.keep_alive = False
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
            count += 1
        fields: Fields | None = message.get(FIELDS)
        head = b"".join(lines)
        # One look at the whole head finds every line end that is not ours.
        if len(head.translate(None, CONTROLS)) != len(head) - 2 * count:
            raise RuntimeError("a response header has a control character")
        self.response_started = True
        self.waiting_for_100_continue = False
        self._head = head + b"\r\n" if fields is None else b"%b%b\r\n" % (head, fields.lines)
        if not message.get(BODY_FOLLOWS):
            self.connection.loop.call_soon(self._flush)

    def _frame(self, status: int, length: int | None, lines: list[bytes]) -> int:
        """Decide how the body is delimited; returns how many header lines were added."""
        self._bodiless = self.scope["method"] == "HEAD" or status in _WITHOUT_BODY
        if length is not None:
            self._left = length
            if status == _NO_CONTENT:
                return 0
            lines.append(b"content-length: %d\r\n" % length)
            return 1
        if self._bodiless:
            self._left = 0
        elif self.scope["http_version"] == "1.0":
            self.keep_alive = False
        else:
            self._left = 0
            self._chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
            return 1
        return 0

    def _continue(self, body: bytes, *, more: bool) -> None:
        if self._bodiless:
            data: tuple[bytes, ...] = ()
        elif self._chunked:
            data = (b"%x\r\n" % len(body), body, b"\r\n") if body else ()
            if not more:
                data = (*data, b"0\r\n\r\n")
        else:
            if self._left is not None:
                self._left -= len(body)
                if self._left < 0:
                    raise RuntimeError("the response is longer than its Content-Length")
                if self._left and not more:
                    raise RuntimeError("the response is shorter than its Content-Length")
            data = (body,)
        head = self._head
        if head is not None:
            self._head = None
            data = (head, *data)
        self._write(data, len(body))
        if not more:
            self.response_complete = True
            self._wake()
            self.connection.response_done(self)

    def _write(self, data: tuple[bytes, ...], size: int) -> None:
        if len(data) == 1:
            self.transport.write(data[0])
        elif size <= _COPIED:
            self.transport.write(b"".join(data))
        else:
            self.transport.writelines(data)

    def _flush(self) -> None:
        """Send a head for which no body has come yet."""
        head = self._head
        if head is not None and not self.disconnected:
            self._head = None
            self.transport.write(head)

    def take_over(self) -> None:
        """End the HTTP exchange, because the connection becomes a tunnel."""
        if self.response_started or self.disconnected:
            raise RuntimeError("the connection cannot become a tunnel any more")
        self.response_started = True
        self.response_complete = True
        self._wake()


def _one_length(known: int | None, value: bytes) -> int:
    if not value.isdigit() or known not in (None, int(value)):
        raise RuntimeError("the response has no single valid Content-Length")
    return int(value)
