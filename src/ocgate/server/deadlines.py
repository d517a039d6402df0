"""One timer for all connections of a server, instead of two per request.

Connections write down a deadline in terms of `Sweeper.now`, which costs one addition; the
sweeper looks at each of them every tick. A deadline is therefore met between zero and two ticks
late, never early.
"""

import asyncio
from collections import Counter
from typing import Protocol
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState


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
        """Return the deadline that is at least that far away."""
        return self.now + self._tick + seconds

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


class Shared:
    """What all connections of one server have in common."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tick: float) -> None:
        self.sweeper = Sweeper(loop, tick)
        self._connections: Counter[str] = Counter()

    def admits(self, client: tuple[str, int] | None, most: int | None) -> bool:
        """Count a connection; say whether its address has no more than `most` of them."""
        if client is None:
            return True
        self._connections[client[0]] += 1
        return most is None or self._connections[client[0]] <= most

    def forget(self, client: tuple[str, int] | None) -> None:
        """Take back what `admits` counted."""
        if client is not None:
            self._connections[client[0]] -= 1
            if not self._connections[client[0]]:
                del self._connections[client[0]]


_SHARED: WeakKeyDictionary[ServerState, Shared] = WeakKeyDictionary()


def shared_by(state: ServerState, loop: asyncio.AbstractEventLoop, tick: float) -> Shared:
    """Return what the connections of that server share, made on the first call."""
    if state not in _SHARED:
        _SHARED[state] = Shared(loop, tick)
    return _SHARED[state]
