"""What every store can do.

A `Store` is one namespace (a *database* and a *table*, the terms of the family's go-micro
stores) of one backend. How names and values look on the wire is the backend's business.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """A value together with the revision that `replace` compares.

    `revision` is opaque: only equality within one store means anything.
    """

    value: bytes
    revision: str


class Store(Protocol):
    """Bytes under a name, for a while.

    Every method answers or raises `ocgate.core.errors.StoreError`; a store that is down is
    never taken for an empty one. Every call ends within the store's time-out (1 s by default),
    and a store that was down heals by itself.
    """

    @property
    def shared(self) -> bool:
        """Two processes see the same data. Signing keys insist on it."""
        ...

    @property
    def expires(self) -> bool:
        """`ttl` is honoured; otherwise entries live until they are deleted."""
        ...

    async def get(self, name: str, /) -> Entry | None:
        """Return the entry, or None if there is none or it has expired."""
        ...

    async def put(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> None:
        """Write, whatever was there; with `ttl` the time to live starts anew."""
        ...

    async def create(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> bool:
        """Write only if there is no live entry; False if somebody else was first."""
        ...

    async def replace(
        self, name: str, value: bytes, /, *, revision: str, ttl: timedelta | None = None
    ) -> bool:
        """Write only if the entry still has that revision; False if it has changed or gone."""
        ...

    async def delete(self, name: str, /) -> bool:
        """Remove the entry; False if there was none."""
        ...

    def names(self) -> AsyncIterator[str]:
        """Yield the name of every live entry, in no particular order."""
        ...

    async def check(self) -> None:
        """Raise `StoreError` unless the backend answers now (for `/readyz`)."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and files. May be called twice."""
        ...
