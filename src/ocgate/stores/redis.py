"""A store in Redis, in the family's form.

The string key is `<table><name>` (no separator, no database: `signing-keys<user id>`), the
value is the value, and the time to live is the key's own. The family writes keys without one;
they are read like any other. As nothing separates table and name, no table of one Redis
database may begin with the name of another.

A string has no version, so the revision is a hash of the value and `replace` compares the
value itself, in a script that Redis runs as one step. An entry that was changed and changed
back therefore counts as unchanged; where that matters the value carries something unique.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, RedisError

from ocgate.core.errors import ConfigError
from ocgate.stores.base import Entry
from ocgate.stores.calls import answering, encoded
from ocgate.stores.settings import StoreSettings

CONNECTIONS = 32
"""How many a store opens at most; the library's pool would refuse the 101st call at once."""

_REPLACE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
"""


class RedisStore:
    """The keys that begin with `table`. See the module docstring."""

    shared = True
    expires = True

    def __init__(
        self, client: Redis, *, table: str, ttl: timedelta | None = None, timeout: float = 1.0
    ) -> None:
        # The library leaves parts of its annotations open; what comes back is checked by use.
        self._client: Any = client
        self._table = table.encode()
        self._ttl = ttl
        self._timeout = timeout
        self._free = asyncio.Semaphore(CONNECTIONS)

    async def get(self, name: str, /) -> Entry | None:
        """Return the entry, or None if there is none or it has expired."""
        value = await self._call("GET", self._key(name))
        return None if value is None else Entry(value, _revision(value))

    async def put(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> None:
        """Write, whatever was there."""
        await self._call("SET", self._key(name), value, *self._expiry(ttl))

    async def create(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> bool:
        """Write only if there is no live entry."""
        answer = await self._call("SET", self._key(name), value, "NX", *self._expiry(ttl))
        return answer is not None

    async def replace(
        self, name: str, value: bytes, /, *, revision: str, ttl: timedelta | None = None
    ) -> bool:
        """Write only if the entry still has the value of that revision."""
        current = await self.get(name)
        if current is None or current.revision != revision:
            return False
        milliseconds = self._expiry(ttl)[1:] or ("",)
        answer = await self._call(
            "EVAL", _REPLACE, 1, self._key(name), current.value, value, *milliseconds
        )
        return bool(answer)

    async def delete(self, name: str, /) -> bool:
        """Remove the entry; False if there was none."""
        return bool(await self._call("DEL", self._key(name)))

    async def names(self) -> AsyncIterator[str]:
        """Yield the name of every entry; SCAN says a key twice at times, this does not."""
        pattern = _literal(self._table) + b"*"
        seen = set[str]()
        cursor: Any = 0
        while True:
            cursor, keys = await self._call("SCAN", cursor, "MATCH", pattern, "COUNT", 500)
            for key in keys:
                name = key[len(self._table) :].decode(errors="ignore")
                if name and name not in seen:
                    seen.add(name)
                    yield name
            if int(cursor) == 0:
                return

    async def check(self) -> None:
        """Raise StoreError unless Redis answers now."""
        await self._call("PING")

    async def aclose(self) -> None:
        """Close the connections. May be called twice."""
        await self._client.aclose()

    def _key(self, name: str) -> bytes:
        return self._table + encoded(name)

    def _expiry(self, ttl: timedelta | None) -> tuple[Any, ...]:
        life = self._ttl if ttl is None else ttl
        return () if life is None else ("PX", max(1, int(life.total_seconds() * 1000)))

    async def _call(self, *command: Any) -> Any:
        async with answering("redis", self._timeout, RedisError), self._free:
            try:
                return await self._client.execute_command(*command)
            except RedisError as exc:
                if not _refused_by_a_replica(exc):
                    raise
            # A master that was demoted refused the write: nothing was done, so nothing is done
            # twice when the connection is dropped and Sentinel asked for the new master.
            await self._client.connection_pool.disconnect(inuse_connections=False)
            return await self._client.execute_command(*command)


def redis_store(settings: StoreSettings, *, table: str, ttl: timedelta | None = None) -> RedisStore:
    """Make the store of a single Redis server; nothing is sent yet.

    Its one node is `host:port` or a URL (`redis://`, `rediss://`, `unix://`, with user, password
    and database number). Raises ConfigError for anything else.
    """
    nodes = settings.nodes or ("127.0.0.1:6379",)
    if len(nodes) != 1:
        raise ConfigError("redis takes one node; several are the matter of redis-sentinel")
    url = nodes[0] if "://" in nodes[0] else f"redis://{nodes[0]}"
    try:
        client = cast("Any", Redis).from_url(url, **connection_options(settings))
    except ValueError as exc:
        raise ConfigError(f"this is no node of a redis store: {exc}") from exc
    return RedisStore(client, table=table, ttl=ttl, timeout=settings.timeout)


def connection_options(settings: StoreSettings) -> dict[str, Any]:
    """Return what every connection to a Redis of these settings is made with."""
    return {
        "username": settings.username or None,
        "password": settings.password or None,
        "socket_timeout": settings.timeout,
        "socket_connect_timeout": settings.timeout,
        # A command that was sent may have been run: only the caller knows if twice is harmless.
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }


def _revision(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def _refused_by_a_replica(exc: RedisError) -> bool:
    # The Sentinel connection hides READONLY behind a ConnectionError of its own.
    return "READONLY" in str(exc) or isinstance(exc.__context__, ReadOnlyError)


def _literal(text: bytes) -> bytes:
    return re.sub(rb"[][*?^\\]", rb"\\\g<0>", text)
