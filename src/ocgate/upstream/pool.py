"""Keep-alive connections to one address of a backend."""

import asyncio
import ssl
from collections import deque
from typing import Final

from ocgate.core.errors import BadGateway, GatewayTimeout, Overloaded
from ocgate.upstream.connection import Connection
from ocgate.upstream.origin import Origin
from ocgate.upstream.settings import Limits, Timeouts

TICK: Final = 0.25
"""Seconds between two looks at the clock.

One timer for all connections of the pool: a request sets no timer of its own."""

FRESH_TICKS: Final = 4
"""A connection that answered within the last second has hardly been closed by the backend:
the shortest keep-alive in use is Apache's, 5 s."""


class Pool:
    """The connections to one address, the most recently used one first.

    That order lets surplus connections grow old and go. Belongs to one event loop.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.origin = origin
        self.timeouts = timeouts or Timeouts()
        self.limits = limits or Limits()
        self.tls = (tls or ssl.create_default_context()) if origin.scheme == "https" else None
        self.idle_ticks = _ticks(self.timeouts.idle)
        self.first_byte_ticks = _ticks(self.timeouts.first_byte)
        self.keep_alive_ticks = _ticks(self.timeouts.keep_alive)
        self.tick = 0
        self.loop: asyncio.AbstractEventLoop
        self.connections: set[Connection] = set()
        self.busy: set[Connection] = set()
        self.idle: list[Connection] = []
        self._dialing = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, *, repeatable: bool) -> Connection | None:
        """Return an idle connection, or None.

        A request that must not be sent twice gets only one that was in use a moment ago, since
        the backend may be about to close an older one.
        """
        idle = self.idle
        while idle:
            connection = idle.pop()
            if not connection.reusable or connection.transport.is_closing():
                continue
            if not repeatable and self.tick - connection.idle_since > FRESH_TICKS:
                idle.append(connection)
                return None
            connection.reused = True
            self.busy.add(connection)
            return connection
        return None

    async def acquire(self, *, repeatable: bool) -> Connection:
        """Return an idle connection or open one.

        Raises Overloaded when no slot gets free in time, BadGateway when the address refuses,
        GatewayTimeout when it is silent.
        """
        connection = self.take(repeatable=repeatable)
        if connection is None and self._is_full():
            connection = await self._slot(repeatable=repeatable)
        return connection or await self.connect()

    async def connect(self) -> Connection:
        """Open a connection. Raises BadGateway or GatewayTimeout."""
        self.loop = asyncio.get_running_loop()
        self._dialing += 1
        try:
            async with asyncio.timeout(self.timeouts.connect):
                connection = await self._dial()
        except TimeoutError as error:
            raise self.too_late("the backend cannot be reached in time") from error
        except OSError as error:
            raise BadGateway(
                "the backend cannot be reached", detail=f"{self.origin}: {error}"
            ) from error
        finally:
            self._dialing -= 1
            self._let_in()
        self.busy.add(connection)
        if self._timer is None:
            self._timer = self.loop.call_later(TICK, self._look)
        return connection

    def give_back(self, connection: Connection) -> None:
        """Keep the connection for the next request if it is clean, otherwise cut it."""
        connection.owner = None
        self.busy.discard(connection)
        if (
            not connection.complete
            or not connection.reusable
            or connection.chunks
            or connection.transport.is_closing()
            or len(self.idle) >= self.limits.idle_connections
        ):
            connection.reusable = False
            connection.transport.abort()
            return
        if connection.reading_paused:
            connection.reading_paused = False
            connection.transport.resume_reading()
        connection.idle_since = self.tick
        self.idle.append(connection)
        if self._waiting:
            self._let_in()

    def forget(self, connection: Connection) -> None:
        """Note that a connection is closed."""
        self.busy.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)
        self.connections.discard(connection)
        self._let_in()

    def too_late(self, what: str) -> GatewayTimeout:
        """Make the error for a backend that is silent."""
        return GatewayTimeout(what, detail=str(self.origin))

    def close(self) -> None:
        """Cut all idle connections. The busy ones end with their exchange."""
        self.limits = Limits(connections=self.limits.connections, idle_connections=0)
        for connection in tuple(self.idle):
            connection.transport.abort()
        self.idle.clear()
        if self._timer is not None and not self.busy:
            self._timer.cancel()
            self._timer = None

    async def _dial(self) -> Connection:
        origin = self.origin
        if origin.socket:
            _, connection = await self.loop.create_unix_connection(
                lambda: Connection(self), origin.socket
            )
            return connection
        _, connection = await self.loop.create_connection(
            lambda: Connection(self),
            origin.host,
            origin.port,
            ssl=self.tls,
            server_hostname=origin.host if self.tls else None,
        )
        return connection

    def _is_full(self) -> bool:
        return self._dialing + len(self.connections) >= self.limits.connections

    async def _slot(self, *, repeatable: bool) -> Connection | None:
        """Wait for an idle connection, or until there is room for another one (None)."""
        try:
            async with asyncio.timeout(self.timeouts.slot):
                while self._is_full():
                    if self.idle:
                        # too old for this request: make room
                        self.idle.pop(0).transport.abort()
                    waiting = asyncio.get_running_loop().create_future()
                    self._waiting.append(waiting)
                    await waiting
                    connection = self.take(repeatable=repeatable)
                    if connection is not None:
                        return connection
        except TimeoutError as error:
            self._let_in()
            raise Overloaded("the backend is busy", detail=str(self.origin)) from error
        return None

    def _let_in(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return

    def _look(self) -> None:
        self._timer = None
        self.tick += 1
        for connection in tuple(self.busy):
            connection.check(self.tick)
        oldest = self.tick - self.keep_alive_ticks
        for connection in tuple(self.idle):
            if connection.idle_since > oldest:
                break
            connection.transport.abort()
            self.idle.remove(connection)
        if self.busy or self.idle:
            self._timer = self.loop.call_later(TICK, self._look)


def _ticks(seconds: float) -> int:
    return max(1, round(seconds / TICK))
