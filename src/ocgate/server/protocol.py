"""The door: uvicorn's httptools protocol with bounds, deadlines and one message at a time.

The parser never gets a byte of the next request before the current response is complete: heads
and chunked bodies are fed up to the next empty line, bodies of known length pass it by up to
their length. So a pipelined request cannot be taken for a part of the one before it, and an error
belongs to exactly one request. Beyond that:

- trailers are counted and dropped; they never become headers;
- a head, a body, an answer that is not read, and an idle connection each have a deadline;
- a body that nobody wants is read up to a bound, or the connection ends; a body that was cut
  off reaches the application as `http.disconnect`, never as a complete one;
- `Upgrade: websocket` is offered to the application as a tunnel, other upgrades are ignored.
"""

import logging
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import httptools

from ocgate.core.targets import EMPTY_QUERY
from ocgate.server.connection import BoundedConnection
from ocgate.server.cycle import Cycle
from ocgate.server.fields import FIELDS
from ocgate.server.heads import Head, parse_head
from ocgate.server.limits import Limits
from ocgate.server.phases import Phase
from ocgate.server.refusals import Refused
from ocgate.server.tunnel import TUNNEL, Tunnel

if TYPE_CHECKING:
    from starlette.types import Scope
    from uvicorn._types import ASGI3Application

log = logging.getLogger("ocgate.server")

TARGET_ORIGIN = "ocgate.target_origin"
"""Scope key of `scheme://authority` (bytes) of a target in absolute form."""

_EXTENSIONS: dict[str, object] = {FIELDS: {}}
_ASGI = {"version": "3.0", "spec_version": "2.3"}


class NextRequest(Exception):
    """A request has begun right behind bulk data; it is left to the client to repeat it."""


class HardenedProtocol(BoundedConnection):
    """See the module docstring; `with_limits` makes a class with other bounds."""

    def data_received(self, data: bytes) -> None:
        """Parse as far as the current request goes."""
        self._feed(data)

    def _feed(self, data: bytes) -> None:
        framing = self.framing
        while data and self.phase.parses:
            if self.phase is Phase.IDLE:
                self._begin()
            end = framing.end_of_piece(data)
            piece, data = (data, b"") if end >= len(data) else (data[:end], data[end:])
            try:
                if framing.left > 0:
                    self._pass_by(piece)
                    continue
                framing.before(piece, in_target=not self.headers)
                self.parser.feed_data(piece)
                framing.after(piece)
            except httptools.HttpParserUpgrade as upgrade:
                data = piece[upgrade.args[0] :] + data
            except (httptools.HttpParserError, Refused) as error:
                cause = _cause(error)
                if isinstance(cause, NextRequest):
                    self._make_last()
                else:
                    self._refuse(_reason(cause))
                return
        if data and self.phase is Phase.ANSWERING:
            self.unparsed += data
            if len(self.unparsed) > self.limits.head_bytes:
                self.flow.pause_reading()

    def _begin(self) -> None:
        self.phase = Phase.HEAD
        self.headers = []
        self.framing.begin()
        if self.current is not None:
            self.patience.wait(self.limits.head_seconds)

    def _pass_by(self, body: bytes) -> None:
        """Take a part of a body of known length, for which the parser would only copy it."""
        self.on_body(body)
        if self.framing.left == 0:
            # the old one waits for the body
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.on_message_complete()

    def _make_last(self) -> None:
        if self.phase is Phase.ANSWERING and self.current is not None:
            self.current.keep_alive = False
        else:
            self._close_gently()

    # What the parser finds

    def on_message_begin(self) -> None:
        """Start to collect a head."""
        if self.phase is not Phase.HEAD:
            raise NextRequest
        self.url = b""

    def on_url(self, url: bytes) -> None:
        """Collect the request target."""
        self.url += url
        if len(self.url) > self.limits.target_bytes:
            raise Refused(414, "The request target is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header; a trailer is counted and dropped."""
        if self.phase is Phase.HEAD:
            self.headers.append((name.lower(), value))
        else:
            self.framing.trailer(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """Judge the head and start the application."""
        parser = self.parser
        method, version = parser.get_method(), parser.get_http_version()
        head = parse_head(method, self.url, version, self.headers, self.limits)
        upgrade = parser.should_upgrade()
        if upgrade and head.length:
            raise Refused(400, "A request for an upgrade cannot have a body here.")
        scope = self._scope(head, method.decode("ascii"), version)
        if upgrade and head.upgrade == b"websocket":
            scope["extensions"] = {**_EXTENSIONS, TUNNEL: Tunnel(self)}
        if head.origin:
            scope[TARGET_ORIGIN] = head.origin
        if head.has_empty_query:
            scope[EMPTY_QUERY] = True
        self.current = Cycle(
            self,
            scope,
            # What follows a request for an upgrade may be in the other protocol.
            keep_alive=version == "1.1" and parser.should_keep_alive() and not upgrade,
            expects_continue=head.expects_continue,
        )
        self.phase = Phase.BODY
        if head.length:
            self.framing.expect(head.length)
            self.patience.wait_for_body()
        self._start_asgi_task(self.current, cast("ASGI3Application", self.app))

    def _scope(self, head: Head, method: str, version: str) -> "Scope":
        path = head.raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "method": method,
            "path": unquote(path) if "%" in path else path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "extensions": _EXTENSIONS,
        }

    def on_body(self, body: bytes) -> None:
        """Give a part of the body to the application, or throw it away after the response."""
        self.framing.body(len(body))
        if self.phase is Phase.BODY and self.current is not None:
            self.patience.take(len(body))
            self.current.feed(body)
            if self.current.buffered > self.limits.body_buffer_bytes:
                self.flow.pause_reading()
        elif self.framing.unwanted > self.limits.drain_bytes:
            raise Refused(413, "The body is too long to be skipped.")

    def on_chunk_header(self) -> None:
        """Count the chunks."""
        self.framing.chunk()

    def on_message_complete(self) -> None:
        """Leave what follows alone until the response is complete."""
        if self.phase is Phase.UNWANTED:
            self._wait_for_next()
        elif self.current is not None:
            self.phase = Phase.ANSWERING
            self.patience.wait_forever()
            self.current.end()

    # What the cycle tells

    def can_be_kept(self, cycle: Cycle) -> bool:
        """Say whether the rest of the body, if there is one, is worth reading."""
        if self.stopping:
            return False
        if not cycle.more_body:
            return True
        return not cycle.waiting_for_100_continue and self.framing.left <= self.limits.drain_bytes

    def response_done(self, cycle: Cycle) -> None:
        """Read the next request, skip the rest of this one, or close."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.phase is Phase.BODY:
            if not cycle.keep_alive:
                self._close_gently()
                return
            self.phase = Phase.UNWANTED
            self.framing.unwanted = 0
            self.patience.wait(self.limits.drain_seconds)
            self.flow.resume_reading()
        elif not cycle.keep_alive:
            self.transport.close()
        else:
            self._wait_for_next()
            self.flow.resume_reading()
            if self.unparsed:
                data, self.unparsed = self.unparsed, b""
                self._feed(data)

    def become_tunnel(self) -> bytes:
        """End HTTP on this connection; returns the bytes that came behind the request."""
        if self.current is None or self.phase is not Phase.ANSWERING:
            raise RuntimeError("the connection cannot become a tunnel")
        self.current.take_over()
        self.phase = Phase.TUNNEL
        early, self.unparsed = self.unparsed, b""
        return early


def with_limits(limits: Limits) -> type[HardenedProtocol]:
    """Return the protocol class for `uvicorn.Config(http=...)` with these bounds."""
    return type("HardenedProtocol", (HardenedProtocol,), {"limits": limits})


def _cause(error: Exception) -> BaseException | None:
    """Return what one of our callbacks raised.

    The context of any other error is foreign: what the application is handling while it sends
    the answer before.
    """
    if isinstance(error, httptools.HttpParserCallbackError):
        return error.__context__
    return error if isinstance(error, Refused) else None


def _reason(cause: BaseException | None) -> Refused:
    if isinstance(cause, Refused):
        return cause
    if cause is not None:
        log.error("a request could not be parsed", exc_info=cause)
    return Refused(400, "The request is not valid HTTP.")
