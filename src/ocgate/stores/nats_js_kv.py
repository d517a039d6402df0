"""A store in NATS JetStream KV, in the family's form (`nats_form.py`).

The bucket is the database; where it is missing it is made with `ttl` as the time to live of
everything in it. An entry whose own end comes before the bucket's carries it in its metadata:
the family does not look at that, ocgate takes the entry for gone. It stays in the bucket until
it is written again or deleted. A revision is the sequence number in the bucket's stream.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from nats.errors import Error

from ocgate.core.errors import ConfigError, StoreError
from ocgate.stores.base import Entry
from ocgate.stores.calls import answering, encoded
from ocgate.stores.nats_bucket import Message, NATSBucket
from ocgate.stores.nats_connection import NATSConnection
from ocgate.stores.nats_form import Envelope, name_of, nats_key
from ocgate.stores.settings import StoreSettings

_TOGETHER = 100
"""Entries that `names` reads at once."""


class NATSKeyValueStore:
    """One table of a bucket. See the module docstring."""

    shared = True
    expires = True

    def __init__(
        self,
        bucket: NATSBucket,
        *,
        table: str,
        ttl: timedelta | None = None,
        timeout: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bucket = bucket
        self._table = table
        self._ttl = ttl
        self._timeout = timeout
        self._clock = clock

    async def get(self, name: str, /) -> Entry | None:
        """Return the entry, or None if there is none or it has expired."""
        key = self._key(name)
        async with self._answering():
            last = await self._bucket.last(key)
        envelope = self._live(last)
        return None if envelope is None else Entry(envelope.data, str(last.sequence))

    async def put(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> None:
        """Write, whatever was there."""
        key = self._key(name)
        async with self._answering():
            await self._bucket.write(key, await self._dumped(name, value, ttl))

    async def create(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> bool:
        """Write only if there is no live entry."""
        key = self._key(name)
        async with self._answering():
            dumped = await self._dumped(name, value, ttl)
            after = 0
            while not await self._bucket.write(key, dumped, after=after):
                last = await self._bucket.last(key)
                if self._live(last) is not None:
                    return False
                # A deleted or expired entry still has its place in the stream.
                after = last.sequence
        return True

    async def replace(
        self, name: str, value: bytes, /, *, revision: str, ttl: timedelta | None = None
    ) -> bool:
        """Write only if the entry still has that revision."""
        key = self._key(name)
        async with self._answering():
            last = await self._bucket.last(key)
            if self._live(last) is None or str(last.sequence) != revision:
                return False
            dumped = await self._dumped(name, value, ttl)
            return await self._bucket.write(key, dumped, after=last.sequence)

    async def delete(self, name: str, /) -> bool:
        """Remove the entry; False if there was none."""
        key = self._key(name)
        async with self._answering():
            while self._live(last := await self._bucket.last(key)) is not None:
                if await self._bucket.delete(key, after=last.sequence):
                    return True
        return False

    async def names(self) -> AsyncIterator[str]:
        """Yield the name of every live entry; each step ends within the time-out."""
        async with self._answering():
            keys = await self._bucket.keys()
        found = [(name, key) for key in keys if (name := name_of(self._table, key)) is not None]
        for first in range(0, len(found), _TOGETHER):
            some = found[first : first + _TOGETHER]
            async with self._answering():
                last = await asyncio.gather(*(self._bucket.last(key) for _, key in some))
            for (name, _), message in zip(some, last, strict=True):
                if self._live(message) is not None:
                    yield name

    async def check(self) -> None:
        """Raise StoreError unless the bucket answers now."""
        async with self._answering():
            await self._bucket.check()

    async def aclose(self) -> None:
        """Close the connection. May be called twice."""
        await self._bucket.aclose()

    def _answering(self) -> AbstractAsyncContextManager[None]:
        return answering("nats-js-kv", self._timeout, Error)

    def _key(self, name: str) -> str:
        return nats_key(self._table, encoded(name))

    def _live(self, message: Message) -> Envelope | None:
        if message.value is None:
            return None
        try:
            envelope = Envelope.load(message.value)
        except ValueError as exc:
            raise StoreError("The store did not answer.", detail=f"nats-js-kv: {exc}") from exc
        if envelope.expires_at is not None and envelope.expires_at <= self._clock():
            return None
        return envelope

    async def _dumped(self, name: str, value: bytes, ttl: timedelta | None) -> bytes:
        life = self._ttl if ttl is None else ttl
        if life is None:
            return Envelope(name, value).dump()
        bucket_ttl = await self._bucket.ttl()
        if bucket_ttl is not None and bucket_ttl <= life.total_seconds():
            return Envelope(name, value).dump()
        return Envelope(name, value, self._clock() + life.total_seconds()).dump()


def nats_js_kv_store(
    settings: StoreSettings,
    *,
    database: str,
    table: str,
    ttl: timedelta | None = None,
    in_memory: bool = False,
) -> NATSKeyValueStore:
    """Make the store; nothing is sent yet.

    Nodes are `host:port` or URLs (`nats://`, `tls://`). Raises ConfigError for a database that
    cannot be the name of a bucket.
    """
    if not re.fullmatch(r"[a-zA-Z0-9_-]+", database):
        raise ConfigError(f"{database!r} cannot be the name of a NATS bucket")
    connection = NATSConnection(
        settings.nodes or ("127.0.0.1:9233",),
        username=settings.username,
        password=settings.password,
        timeout=settings.timeout,
    )
    bucket = NATSBucket(
        connection, database, ttl=ttl, in_memory=in_memory, timeout=settings.timeout
    )
    return NATSKeyValueStore(bucket, table=table, ttl=ttl, timeout=settings.timeout)
