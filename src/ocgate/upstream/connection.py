"""One connection to a backend: the transport half of `ResponseReader`, with flow control.

A connection serves one exchange at a time. Its owner calls `begin`, then `answered`, `read`
until it returns nothing, and finally gives it back to the pool. Reading from the backend stops
while more than `HIGH` bytes wait to be taken, so that a slow client slows the backend.
"""

import asyncio
from typing import TYPE_CHECKING, Final, Protocol, cast

from ocgate.core.errors import BadGateway, OcgateError
from ocgate.upstream.response_reader import ResponseReader

if TYPE_CHECKING:
    from ocgate.upstream.pool import Pool

HIGH: Final = 128 * 1024
"""Bytes waiting in one direction above which reading stops. The event loop reads 256 KiB at a
time, so one direction never holds more than the two together."""
LOW: Final = 32 * 1024

SMALL: Final = 64 * 1024
"""Bytes of a body that is waited for, a quarter of a second at most, before the head goes on."""

SWITCHED: Final = 101


class ClientGone(Exception):
    """The client left: nobody waits for the answer any more."""


class Waiting(Protocol):
    """Who wants to know that an answer takes its time."""

    def watch(self) -> None:
        """Begin to look whether the client is still there."""
        ...


class Connection(ResponseReader, asyncio.Protocol):
    """See the module docstring. Made by `Pool` alone."""

    __slots__ = (
        "_drained",
        "_go_ahead",
        "_held",
        "_waiter",
        "error",
        "idle_since",
        "lost",
        "owner",
        "pool",
        "progress",
        "reading_paused",
        "reused",
        "transport",
        "tunnel",
        "uploading",
        "write_paused",
    )

    transport: asyncio.Transport

    def __init__(self, pool: "Pool") -> None:
        super().__init__()
        self.pool = pool
        self.owner: Waiting | None = None
        self.error: Exception | None = None
        self.tunnel: asyncio.Protocol | None = None
        self.lost = self.reused = self.uploading = False
        self.reading_paused = self.write_paused = False
        self.progress = self.idle_since = pool.tick
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._go_ahead: asyncio.Future[None] | None = None
        self._held = False

    def begin(self, head: bytes, *, bodiless: bool, owner: Waiting) -> None:
        """Send a request head; `bodiless` says that the answer has no body (HEAD)."""
        self.expect(bodiless=bodiless)
        self.owner = owner
        self.progress = self.pool.tick
        self._held = True
        self.transport.write(head)

    async def answered(self) -> None:
        """Wait for the final response head, and with it for a small body.

        Raises what `fail` was told, or BadGateway.
        """
        while not self.status or self._is_held():
            if self.error is not None:
                raise self.error
            self._waiter = self.pool.loop.create_future()
            await self._waiter
        self._held = False

    def _is_held(self) -> bool:
        # Head and body in one write, and a small body that breaks off is still a 502.
        return self._held and 0 < self._length <= SMALL and not self.complete

    async def read(self) -> bytes:
        """Return the next body bytes, or nothing at the end. Raises as `answered`."""
        while not self.chunks:
            if self.complete:
                return b""
            if self.error is not None:
                raise self.error
            self._waiter = self.pool.loop.create_future()
            await self._waiter
        chunk = self.chunks.popleft()
        self.queued -= len(chunk)
        if self.reading_paused and self.queued <= LOW:
            self.reading_paused = False
            self.progress = self.pool.tick
            self.transport.resume_reading()
        return chunk

    def read_all(self) -> bytes:
        """Return what is left of a complete body."""
        chunks = self.chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.queued = 0
        return body

    async def drain(self) -> None:
        """Wait until the backend has taken what was written, down to a few buffers."""
        while self.write_paused and self.error is None and not self.lost:
            self._drained = self.pool.loop.create_future()
            await self._drained
        if self.error is not None:
            raise self.error

    async def go_ahead(self, seconds: float) -> None:
        """Wait for `100 Continue` or the final answer, not longer than `seconds`."""
        if self.continued or self.status or self.error is not None:
            return
        self._go_ahead = waiting = self.pool.loop.create_future()
        await asyncio.wait((waiting,), timeout=seconds)
        self._go_ahead = None

    def fail(self, error: Exception) -> None:
        """End the exchange: whoever waits gets `error`, the connection is cut at once."""
        if self.error is None:
            self.error = error
        self.reusable = False
        self.transport.abort()
        self._wake()

    def check(self, tick: int) -> None:
        """Look at the clock, four times a second (see `Pool`)."""
        if self.complete:
            return
        pool = self.pool
        age = tick - self.progress
        if self.status:
            if not self.reading_paused and age > pool.idle_ticks:
                self.fail(BadGateway("the backend stopped in the middle of its answer"))
            elif age >= 1 and self.owner is not None:
                self.owner.watch()
                self._held = False
                self._wake()
            return
        if self.uploading:
            # until the request is complete, only a backend that does not read is late
            if self.write_paused and age > pool.idle_ticks:
                self.fail(pool.too_late("the backend does not take the request"))
            return
        if age > pool.first_byte_ticks:
            self.fail(pool.too_late("the backend did not answer in time"))
        elif age >= 1 and self.owner is not None:
            self.owner.watch()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are no subclass of asyncio's
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=HIGH, low=LOW)
        self.pool.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Read on; bytes that nobody asked for end the connection."""
        self.progress = self.pool.tick
        if self.tunnel is not None:
            self.tunnel.data_received(data)
            return
        if self.complete:
            if self.status == SWITCHED:
                self.surplus += data  # the tunnel is about to take it
                return
            self.reusable = False
            self.transport.abort()
            return
        try:
            self.feed(data)
        except OcgateError as error:
            self.fail(error)
            return
        if self.queued > HIGH and not self.reading_paused:
            self.reading_paused = True
            self.transport.pause_reading()
        waiter = self._waiter
        if waiter is not None and not waiter.done() and not self._is_held():
            waiter.set_result(None)
        if self._go_ahead is not None:
            self._wake()

    def eof_received(self) -> None:
        """Let the transport close itself."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Decide whether that was the end of the body or a broken answer."""
        self.lost = True
        if self.tunnel is not None:
            self.tunnel.connection_lost(exc)
        elif not self.complete and self.error is None:
            self.error = self._broken_off(exc)
        self.reusable = False
        self._parser = None
        self.pool.forget(self)
        self._wake()

    def _broken_off(self, exc: Exception | None) -> Exception | None:
        if exc is not None:
            return BadGateway("the backend broke the connection", detail=repr(exc))
        try:
            self.feed_eof()
        except OcgateError as error:
            return error
        return None

    def pause_writing(self) -> None:
        """Stop taking from the client: the backend is slower."""
        self.write_paused = True
        self.progress = self.pool.tick
        if self.tunnel is not None:
            self.tunnel.pause_writing()

    def resume_writing(self) -> None:
        """Go on taking from the client."""
        self.write_paused = False
        self.progress = self.pool.tick
        if self.tunnel is not None:
            self.tunnel.resume_writing()
        self._wake()

    def _wake(self) -> None:
        for waiter in (self._waiter, self._drained, self._go_ahead):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
