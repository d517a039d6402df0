"""A store inside one process, for tests.

Nobody else sees what it holds, so everything that two replicas must agree on refuses it.
"""

import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

from ocgate.stores.base import Entry


class MemoryStore:
    """Implements `ocgate.stores.base.Store`; `now` counts seconds.

    `shared=True` is for tests alone, where one store stands for that of several processes.
    """

    expires = True

    def __init__(self, *, shared: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self.shared = shared
        self._now = now
        self._entries: dict[str, tuple[Entry, float]] = {}
        self._revision = 0

    async def get(self, name: str, /) -> Entry | None:
        """Return the entry, or None if there is none or it has expired."""
        return self._live(name)

    async def put(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> None:
        """Write, whatever was there."""
        self._write(name, value, ttl)

    async def create(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> bool:
        """Write only if there is no live entry."""
        if self._live(name) is not None:
            return False
        self._write(name, value, ttl)
        return True

    async def replace(
        self, name: str, value: bytes, /, *, revision: str, ttl: timedelta | None = None
    ) -> bool:
        """Write only if the entry still has that revision."""
        entry = self._live(name)
        if entry is None or entry.revision != revision:
            return False
        self._write(name, value, ttl)
        return True

    async def delete(self, name: str, /) -> bool:
        """Remove the entry; False if there was none."""
        present = self._live(name) is not None
        self._entries.pop(name, None)
        return present

    async def names(self) -> AsyncIterator[str]:
        """Yield the name of every live entry."""
        for name in list(self._entries):
            if self._live(name) is not None:
                yield name

    async def check(self) -> None:
        """Do nothing: memory always answers."""

    async def aclose(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _live(self, name: str) -> Entry | None:
        entry, until = self._entries.get(name, (None, 0.0))
        return entry if self._now() < until else None

    def _write(self, name: str, value: bytes, ttl: timedelta | None) -> None:
        self._revision += 1
        until = float("inf") if ttl is None else self._now() + ttl.total_seconds()
        self._entries[name] = (Entry(value, str(self._revision)), until)
