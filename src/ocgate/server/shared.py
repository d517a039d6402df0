"""What all connections of one server have in common."""

import asyncio
from collections import Counter
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

from ocgate.server.deadlines import Sweeper


class Shared:
    """Their timer, and how many of them each client address has."""

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
