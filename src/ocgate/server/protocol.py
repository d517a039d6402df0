"""The door: uvicorn's httptools protocol with bounds, deadlines and one message at a time.

The parser never gets a byte of the next request before the current response is complete: heads
and chunked bodies are fed up to the next empty line, other bodies up to their length. So a
pipelined request cannot be taken for a part of the one before it, and an error belongs to
exactly one request. Beyond that:

- trailers are counted and dropped; they never become headers;
- a head, a body, an answer that is not read, and an idle connection each have a deadline;
- a body that nobody wants is read up to a bound, or the connection ends; a body that was cut
  off reaches the application as `http.disconnect`, never as a complete one;
- `Upgrade: websocket` is offered to the application as a tunnel, other upgrades are ignored.
"""

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Any, ClassVar, cast
from urllib.parse import unquote

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from ocgate.server.cycle import Cycle
from ocgate.server.deadlines import shared_by
from ocgate.server.framing import Framing
from ocgate.server.heads import parse_head
from ocgate.server.limits import Limits
from ocgate.server.phases import Phase
from ocgate.server.refusals import Refused
from ocgate.server.tunnel import TUNNEL, Tunnel

if TYPE_CHECKING:
    from starlette.types import Scope
    from uvicorn._types import ASGI3Application

log = logging.getLogger("ocgate.server")

_ASGI = {"version": "3.0", "spec_version": "2.3"}


class HardenedProtocol(HttpToolsProtocol):
    """See the module docstring; `with_limits` makes a class with other bounds."""

    limits: ClassVar[Limits] = Limits()
    parser: httptools.HttpRequestParser

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.shared = shared_by(server_state, self.loop, self.limits.tick)
        self.sweeper = self.shared.sweeper
        self.framing = Framing(self.limits)
        self.phase = Phase.IDLE
        self.current: Cycle | None = None
        self.stopping = False
        self.unparsed = b""
        self.deadline = math.inf
        self.window_end = math.inf
        self.window_bytes = 0
        self.unsent = 0
        self.stalled_at = math.inf

    # What the transport tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = get_local_addr(transport)
        self.client = get_remote_addr(transport)
        self.scheme = "https" if is_ssl(transport) else "http"
        self.connections.add(self)
        self.sweeper.add(self)
        self.deadline = self.sweeper.in_seconds(self.limits.head_seconds)
        if not self.shared.admits(self.client, self.limits.connections_per_address):
            self._refuse(Refused(503, "There are too many connections from this address."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application that the client is gone."""
        self.connections.discard(self)
        self.sweeper.remove(self)
        self.shared.forget(self.client)
        self._disconnect()
        self.flow.resume_writing()
        if exc is None:
            self.transport.close()
        # it holds our methods: without it the connection is freed at once
        del self.parser

    def eof_received(self) -> None:
        """Take a client that stops sending for one that is gone; the transport then closes."""
        self._disconnect()

    def data_received(self, data: bytes) -> None:
        """Parse as far as the current request goes."""
        if self.phase is Phase.BODY:
            self.deadline = self.sweeper.in_seconds(self.limits.body_idle_seconds)
        self._feed(data)

    def _disconnect(self) -> None:
        if self.current is not None and not self.current.response_complete:
            self.current.disconnect()

    def _feed(self, data: bytes) -> None:
        framing = self.framing
        while data and self.phase.parses:
            if self.phase is Phase.IDLE:
                self._begin()
            end = framing.end_of_piece(data)
            piece, data = (data, b"") if end >= len(data) else (data[:end], data[end:])
            try:
                framing.before(piece)
                self.parser.feed_data(piece)
                framing.after(piece)
            except httptools.HttpParserUpgrade as upgrade:
                data = piece[upgrade.args[0] :] + data
            except (httptools.HttpParserError, Refused) as error:
                self._refuse(_reason(error))
                return
        if data and self.phase is Phase.ANSWERING:
            self.unparsed += data
            if len(self.unparsed) > self.limits.head_bytes:
                self.flow.pause_reading()

    def _begin(self) -> None:
        self.phase = Phase.HEAD
        self.framing.begin()
        if self.current is not None:
            self.deadline = self.sweeper.in_seconds(self.limits.head_seconds)

    # What the parser finds

    def on_message_begin(self) -> None:
        """Start to collect a head."""
        if self.phase is not Phase.HEAD:
            raise Refused(400, "The end of the request is ambiguous.")
        self.url = b""
        self.headers = []

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
        path = head.raw_path.decode("ascii")
        scope: Scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": "",
            "method": method.decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": head.raw_path,
            "query_string": head.query,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }
        if upgrade and head.upgrade == b"websocket":
            scope["extensions"] = {TUNNEL: Tunnel(self)}
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
            self.deadline = self.sweeper.in_seconds(self.limits.body_idle_seconds)
            self._begin_window(self.sweeper.now)
        self._start_asgi_task(self.current, cast("ASGI3Application", self.app))

    def on_body(self, body: bytes) -> None:
        """Give a part of the body to the application, or throw it away after the response."""
        self.framing.body(len(body))
        self.window_bytes += len(body)
        if self.phase is Phase.BODY and self.current is not None:
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
            self.deadline = math.inf
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
            self.deadline = self.sweeper.in_seconds(self.limits.drain_seconds)
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
        self.flow.resume_reading()
        early, self.unparsed = self.unparsed, b""
        return early

    def _wait_for_next(self) -> None:
        seconds = self.limits.keep_alive_seconds
        if self.stopping:
            seconds = self.limits.stop_idle_seconds
        self.phase = Phase.IDLE
        self.deadline = self.sweeper.in_seconds(seconds)

    # Ends

    def shutdown(self) -> None:
        """Let a request that is under way finish; the last answer says `Connection: close`."""
        self.stopping = True
        if self.phase is Phase.TUNNEL:
            self.transport.close()
        elif self.phase is Phase.IDLE:
            self._wait_for_next()

    def _refuse(self, refused: Refused) -> None:
        address = self.client[0] if self.client else ""
        fields = {"status": refused.status, "reason": str(refused), "client.address": address}
        log.info("request refused", extra={"fields": fields})
        if self.phase in (Phase.BODY, Phase.ANSWERING, Phase.UNWANTED):
            self._disconnect()
            if self.current is not None and self.current.response_started:
                self.transport.abort()
                return
        self.transport.write(refused.response())
        self._close_gently()

    def _close_gently(self) -> None:
        """Close so that the client can read what was sent, even while it is still sending.

        Closing a socket with unread bytes resets the connection and may take our last answer
        with it (RFC 9112 §9.6).
        """
        self.phase = Phase.CLOSING
        self.unparsed = b""
        self.deadline = self.sweeper.in_seconds(self.limits.drain_seconds)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    # Deadlines

    def sweep(self, now: float) -> None:
        """Act on the deadlines that have passed; called by the sweeper."""
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self.unsent:
            self.unsent = unsent
            self.stalled_at = now + self.limits.write_stall_seconds
        elif now >= self.stalled_at:
            self.transport.abort()
            return
        if self.phase is Phase.BODY and self.current is not None:
            if self.flow.read_paused or self.current.waiting_for_100_continue:
                self.deadline = now + self.limits.body_idle_seconds
                self._begin_window(now)
            elif now >= self.window_end:
                if self.window_bytes < self.limits.body_idle_bytes:
                    self.deadline = now
                self._begin_window(now)
        if now < self.deadline:
            return
        if self.phase in (Phase.HEAD, Phase.BODY):
            self._refuse(Refused(408, "The request took too long to arrive."))
        else:
            self.deadline = math.inf
            self.transport.close()

    def _begin_window(self, now: float) -> None:
        self.window_end = now + self.limits.body_idle_seconds
        self.window_bytes = 0


def with_limits(limits: Limits) -> type[HardenedProtocol]:
    """Return the protocol class for `uvicorn.Config(http=...)` with these bounds."""
    return type("HardenedProtocol", (HardenedProtocol,), {"limits": limits})


def _reason(error: Exception) -> Refused:
    cause = error if isinstance(error, Refused) else error.__context__
    if isinstance(cause, Refused):
        return cause
    if cause is not None:
        log.error("a request could not be parsed", exc_info=cause)
    return Refused(400, "The request is not valid HTTP.")
