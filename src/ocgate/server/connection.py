"""How long a client connection is waited for, and how it ends.

The reading half, which turns bytes into requests, is `ocgate.server.protocol`.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, ClassVar

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from ocgate.server.deadlines import Patience
from ocgate.server.framing import Framing
from ocgate.server.limits import Limits
from ocgate.server.phases import Phase
from ocgate.server.refusals import Refused
from ocgate.server.shared import shared_by
from ocgate.server.unread import unread_by_client

if TYPE_CHECKING:
    from ocgate.server.cycle import Cycle

log = logging.getLogger("ocgate.server")


class BoundedConnection(HttpToolsProtocol):
    """A connection that has a phase, and patience with its client."""

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
        self.patience = Patience(self.shared.sweeper, self.limits)
        self.framing = Framing(self.limits)
        self.phase = Phase.IDLE
        self.current: Cycle | None = None
        self.stopping = False
        self.unparsed = b""

    # What the transport tells

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = get_local_addr(transport)
        self.client = get_remote_addr(transport)
        self.scheme = "https" if is_ssl(transport) else "http"
        self.connections.add(self)
        self.shared.sweeper.add(self)
        self.patience.wait(self.limits.head_seconds)
        admitted = self.shared.admits(self.client, self.limits.connections_per_address)
        if len(self.connections) > self.limits.connections:
            # No gentle end: it would be one more connection that is open.
            self.phase = Phase.CLOSING
            transport.write(Refused(503, "There are too many connections.").response())
            transport.close()
        elif not admitted:
            self._refuse(Refused(503, "There are too many connections from this address."))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application that the client is gone."""
        self.connections.discard(self)
        self.shared.sweeper.remove(self)
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

    def _disconnect(self) -> None:
        if self.current is not None and not self.current.response_complete:
            self.current.disconnect()

    def _wait_for_next(self) -> None:
        seconds = self.limits.keep_alive_seconds
        if self.stopping:
            seconds = self.limits.stop_idle_seconds
        self.phase = Phase.IDLE
        self.patience.wait(seconds)

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
        if self.phase in (Phase.BODY, Phase.ANSWERING):
            self._disconnect()
            if self.current is not None and self.current.response_started:
                self.transport.abort()
                return
        if self.phase is not Phase.UNWANTED:
            self.transport.write(refused.response())
        self._close_gently()

    def _close_gently(self) -> None:
        """Close so that the client can read what was sent, even while it is still sending.

        Closing a socket with unread bytes resets the connection and may take our last answer
        with it (RFC 9112 §9.6).
        """
        self.phase = Phase.CLOSING
        self.unparsed = b""
        self.patience.wait(self.limits.drain_seconds)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    # Deadlines

    def sweep(self, now: float) -> None:
        """Act on the waits that have been too long; called by the sweeper."""
        patience = self.patience
        if patience.is_stalled(now, unread_by_client(self.transport)):
            self.transport.abort()
            return
        late = False
        if self.phase is Phase.BODY and self.current is not None:
            if self.flow.read_paused or self.current.waiting_for_100_continue:
                patience.excuse()
            late = patience.is_trickling(now)
        if not late and not patience.is_over(now):
            return
        if self.phase in (Phase.HEAD, Phase.BODY):
            self._refuse(Refused(408, "The request took too long to arrive."))
        else:
            patience.wait_forever()
            self.transport.close()
