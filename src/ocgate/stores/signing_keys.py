"""The keys with which users sign their URLs, kept in the form of the family.

A key is 64 random bytes written as 128 lower-case hex digits, and it is this text that
signs (recorded: opencloud `01_signing_key.http`). oCIS and OpenCloud keep the text alone, so
either side of the store can be theirs. The key before a rotation is ocgate's own matter: it
stands in a second namespace together with the moment at which it ends.
"""

import asyncio
import logging
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from ocgate.core.errors import ConfigError, StoreError
from ocgate.stores.base import Entry, Store

KEY_BYTES = 64

FRESH_SECONDS = 1.0
"""A key is read at most this often: a rotation elsewhere counts after that long."""

STALE_SECONDS = 60.0
"""For so long a key that was read once serves while the store does not answer."""

_USABLE = re.compile(rb"(?:[0-9A-Fa-f]{2}){32,}")
"""At least 32 bytes as hex: a shorter key could be guessed, an empty one fits anything."""

_ATTEMPTS = 20

_utc_now = partial(datetime.now, UTC)

log = logging.getLogger("ocgate.signing_keys")


@dataclass(slots=True)
class _Known:
    current: bytes | None
    previous: bytes | None
    previous_until: float
    read_at: float
    asked_at: float

    def keys(self, now: datetime) -> tuple[bytes, ...]:
        keys = () if self.current is None else (self.current,)
        if self.previous is None or now.timestamp() >= self.previous_until:
            return keys
        return (*keys, self.previous)


class SigningKeys:
    """The signing key of each user id: `find`, `find_or_create`, `rotate`.

    `ttl` is the life of a key, which starts anew with each `find_or_create`; after `rotate`
    the key before is still found for `grace`. Every method may raise `StoreError`. The
    constructor raises `ConfigError` for a store that other processes do not see.
    """

    def __init__(
        self,
        current: Store,
        previous: Store,
        *,
        ttl: timedelta | None,
        grace: timedelta,
        now: Callable[[], datetime] = _utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        cache_size: int = 4096,
    ) -> None:
        if not (current.shared and previous.shared):
            raise ConfigError(
                "Signing keys need a store that every process sees, or a URL signed with the key"
                " from one process is refused by the next one; this store lives in the memory"
                " of one process. Use sqlite, nats-js-kv or redis-sentinel."
            )
        self._current = current
        self._previous = previous
        self._ttl = ttl
        self._grace = grace
        self._now = now
        self._monotonic = monotonic
        self._size = cache_size
        self._known: OrderedDict[str, _Known] = OrderedDict()

    async def find(self, user_id: str, *, fresh: bool = False) -> tuple[bytes, ...]:
        """Return the usable keys of a user: the current one, then the one before the rotation.

        What was read within the last second is not read again, unless `fresh`. While the
        store does not answer, what is at most a minute old serves.
        """
        known = self._known.get(user_id)
        at = self._monotonic()
        if known is not None and at - known.asked_at < FRESH_SECONDS:
            down = known.asked_at > known.read_at
            if down or not fresh:
                return known.keys(self._now())
        try:
            known = await self._read(user_id)
        except StoreError:
            if known is None or at - known.read_at >= STALE_SECONDS:
                raise
            # The next requests of this second need not wait for the time-out, too.
            known.asked_at = self._monotonic()
        return known.keys(self._now())

    async def find_or_create(self, user_id: str) -> bytes:
        """Return the user's key; make one if there is none, and start its time to live anew.

        Concurrent calls return the same key, in whichever process they run.
        """
        lost = False
        for _ in range(_ATTEMPTS):
            entry = await self._current.get(user_id)
            usable = entry is not None and _usable(entry.value, user_id)
            if entry is not None and usable and lost:
                # Whoever was first has just written it, so its life has just begun.
                return entry.value
            key = entry.value if entry is not None and usable else _new_key()
            if await self._write(user_id, key, over=entry):
                return key
            lost = True
        raise _contended(user_id)

    async def rotate(self, user_id: str) -> bytes:
        """Give the user a new key and return it; the one before is found for the grace time."""
        for _ in range(_ATTEMPTS):
            entry = await self._current.get(user_id)
            if entry is not None and self._grace and _usable(entry.value, user_id):
                # Written first: at no moment is the old key unknown.
                await self._previous.put(user_id, self._ending(entry.value), ttl=self._grace)
            key = _new_key()
            if await self._write(user_id, key, over=entry):
                return key
        raise _contended(user_id)

    async def _write(self, user_id: str, key: bytes, *, over: Entry | None) -> bool:
        self._known.pop(user_id, None)
        if over is None:
            return await self._current.create(user_id, key, ttl=self._ttl)
        return await self._current.replace(user_id, key, revision=over.revision, ttl=self._ttl)

    def _ending(self, key: bytes) -> bytes:
        # The moment is in the value because not every store honours a time to live.
        until = (self._now() + self._grace).timestamp()
        return b"%s %.3f" % (key, until)

    async def _read(self, user_id: str) -> _Known:
        current, previous = await asyncio.gather(
            self._current.get(user_id), self._previous.get(user_id)
        )
        at = self._monotonic()
        known = _Known(None, None, 0.0, at, at)
        if current is not None and _usable(current.value, user_id):
            known.current = current.value
        if previous is not None:
            value, _, until = previous.value.partition(b" ")
            if _usable(value, user_id) and _is_moment(until):
                known.previous, known.previous_until = value, float(until)
        if known.current is None:
            # Not remembered: the key may be made in the next moment, and used at once.
            self._known.pop(user_id, None)
            return known
        self._known[user_id] = known
        self._known.move_to_end(user_id)
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return known


def _new_key() -> bytes:
    return secrets.token_hex(KEY_BYTES).encode()


def _usable(value: bytes, user_id: str) -> bool:
    if _USABLE.fullmatch(value):
        return True
    log.error(
        "unusable signing key in the store: taken for none",
        extra={"fields": {"user_id": user_id, "length": len(value)}},
    )
    return False


def _is_moment(text: bytes) -> bool:
    return re.fullmatch(rb"[0-9]{1,12}\.[0-9]{3}", text) is not None


def _contended(user_id: str) -> StoreError:
    return StoreError(
        "The signing key changes faster than it can be written.", detail=f"user id {user_id}"
    )
