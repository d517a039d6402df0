"""One timer for all connections of a server, instead of two per request.

Connections write down a deadline in terms of `Sweeper.now`, which costs one addition; the
sweeper looks at each of them every tick. A deadline is therefore met up to two ticks early: a
limit is what a client gets at most.
"""

import asyncio
import math
from typing import Protocol

from ocgate.server.limits import Limits

# Probing a closed window, the kernel gets some bytes rid of for a second or two after a client
# has stopped to read. They look like progress and must not make the limit longer.
_OF_STALL = 0.95


class Swept(Protocol):
    """Something that has deadlines."""

    def sweep(self, now: float) -> None:
        """Act on every deadline that has passed at `now`."""
        ...


class Sweeper:
    """Sweeps its members every `tick` seconds while there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tick: float) -> None:
        self.now = loop.time()
        self._loop = loop
        self._tick = tick
        self._members: set[Swept] = set()
        self._running = False

    def __len__(self) -> int:
        return len(self._members)

    def in_seconds(self, seconds: float) -> float:
        """Return a deadline for which the last look is not later than that."""
        return self.now - self._tick + seconds

    def add(self, member: Swept) -> None:
        """Look after that member from here on."""
        self._members.add(member)
        if not self._running:
            self._running = True
            self.now = self._loop.time()
            self._loop.call_later(self._tick, self._sweep)

    def remove(self, member: Swept) -> None:
        """Forget a member; unknown ones are no error."""
        self._members.discard(member)

    def _sweep(self) -> None:
        self.now = self._loop.time()
        self._running = bool(self._members)
        if self._running:
            self._loop.call_later(self._tick, self._sweep)
        for member in list(self._members):
            member.sweep(self.now)


class Patience:
    """How long one connection still waits for its client."""

    def __init__(self, sweeper: Sweeper, limits: Limits) -> None:
        self._sweeper = sweeper
        self._limits = limits
        self._deadline = math.inf
        self._window_end = math.inf
        self._window_bytes = 0
        self._unread = 0
        self._stalls_at = math.inf

    def wait(self, seconds: float) -> None:
        """Wait that long."""
        self._deadline = self._sweeper.in_seconds(seconds)

    def wait_forever(self) -> None:
        """Wait for nothing that the client has to do."""
        self._deadline = math.inf

    def wait_for_body(self) -> None:
        """Begin to wait for a body."""
        self._begin_window()

    def take(self, size: int) -> None:
        """Take note that the client sent something of a body, `size` bytes of it content."""
        self._deadline = self._sweeper.in_seconds(self._limits.body_idle_seconds)
        self._window_bytes += size

    def excuse(self) -> None:
        """Count the time so far as ours: the client could not send."""
        self._begin_window()

    def is_trickling(self, now: float) -> bool:
        """Say whether far too little of a body came since the last look at it."""
        if now < self._window_end:
            return False
        trickled = self._window_bytes < self._limits.body_window_bytes
        self._window_end = self._sweeper.in_seconds(self._limits.body_window_seconds)
        self._window_bytes = 0
        return trickled

    def is_stalled(self, now: float, unread: int) -> bool:
        """Say whether the client has long read nothing, with `unread` bytes waiting for it."""
        if unread == 0 or unread < self._unread or self._unread == 0:
            self._stalls_at = now + _OF_STALL * self._limits.write_stall_seconds
        self._unread = unread
        return now >= self._stalls_at

    def is_over(self, now: float) -> bool:
        """Say whether the wait has been too long."""
        return now >= self._deadline

    def _begin_window(self) -> None:
        self._deadline = self._sweeper.in_seconds(self._limits.body_idle_seconds)
        self._window_end = self._sweeper.in_seconds(self._limits.body_window_seconds)
        self._window_bytes = 0
