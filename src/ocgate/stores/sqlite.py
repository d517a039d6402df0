"""A store in a SQLite file: the default, for any number of processes on one machine.

One file holds many (database, table) namespaces. A revision is 128 random bits, so none is
ever used twice, also not after delete and create or a restored backup. Expired entries are
invisible at once and removed in passing, a few with every write.
"""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

from ocgate.stores.base import Entry
from ocgate.stores.calls import encoded
from ocgate.stores.sqlite_file import SQLiteFile

_GET = """
SELECT CAST(value AS BLOB), revision FROM entries
WHERE database = :database AND "table" = :table AND name = :name
    AND (expires_at IS NULL OR expires_at > :now)
"""
_PUT = """
INSERT INTO entries (database, "table", name, value, revision, expires_at)
VALUES (:database, :table, :name, :value, lower(hex(randomblob(16))), :expires_at)
ON CONFLICT DO UPDATE SET
    value = excluded.value, revision = excluded.revision, expires_at = excluded.expires_at
"""
_CREATE = _PUT + "WHERE entries.expires_at <= :now"
_REPLACE = """
UPDATE entries
SET value = :value, revision = lower(hex(randomblob(16))), expires_at = :expires_at
WHERE database = :database AND "table" = :table AND name = :name
    AND (expires_at IS NULL OR expires_at > :now) AND revision = :revision
"""
_DELETE = """
DELETE FROM entries
WHERE database = :database AND "table" = :table AND name = :name
    AND (expires_at IS NULL OR expires_at > :now)
"""
_PURGE = """
DELETE FROM entries WHERE rowid IN
    (SELECT rowid FROM entries WHERE expires_at <= :now LIMIT 50)
"""
_NAMES = """
SELECT name FROM entries
WHERE database = :database AND "table" = :table AND name > :after
    AND (expires_at IS NULL OR expires_at > :now)
ORDER BY name LIMIT 500
"""
_DATABASES = """
SELECT DISTINCT database FROM entries
WHERE expires_at IS NULL OR expires_at > :now
"""
_TABLES = """
SELECT DISTINCT "table" FROM entries
WHERE database = :database AND (expires_at IS NULL OR expires_at > :now)
"""


class SQLiteStore:
    """One namespace of `file`. See the module docstring."""

    shared = True
    expires = True

    def __init__(
        self,
        file: SQLiteFile,
        *,
        database: str,
        table: str,
        ttl: timedelta | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = file
        self._space = {"database": database, "table": table}
        self._ttl = ttl
        self._clock = clock

    async def get(self, name: str, /) -> Entry | None:
        """Return the entry, or None if there is none or it has expired."""
        values = self._values(name)
        row = await self._file.read(lambda sql: sql.execute(_GET, values).fetchone())
        return None if row is None else Entry(row[0], row[1])

    async def put(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> None:
        """Write, whatever was there."""
        await self._changed(_PUT, self._values(name, value, ttl))

    async def create(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> bool:
        """Write only if there is no live entry."""
        return await self._changed(_CREATE, self._values(name, value, ttl))

    async def replace(
        self, name: str, value: bytes, /, *, revision: str, ttl: timedelta | None = None
    ) -> bool:
        """Write only if the entry still has that revision."""
        return await self._changed(
            _REPLACE, {**self._values(name, value, ttl), "revision": revision}
        )

    async def delete(self, name: str, /) -> bool:
        """Remove the entry; False if there was none."""
        return await self._changed(_DELETE, self._values(name))

    async def names(self) -> AsyncIterator[str]:
        """Yield the name of every live entry."""
        after = ""
        while page := await self._page(after):
            for name in page:
                yield name
            after = page[-1]

    async def check(self) -> None:
        """Raise StoreError unless the file can be written now."""
        await self._file.write(_rewrite_version)

    async def aclose(self) -> None:
        """Close the file, for every namespace that was made on it."""
        await self._file.aclose()

    def _values(
        self, name: str, value: bytes = b"", ttl: timedelta | None = None
    ) -> dict[str, Any]:
        encoded(name)
        now = int(self._clock() * 1000)
        life = self._ttl if ttl is None else ttl
        expires_at = None if life is None else now + int(life.total_seconds() * 1000)
        return {**self._space, "name": name, "value": value, "now": now, "expires_at": expires_at}

    async def _changed(self, statement: str, values: dict[str, Any]) -> bool:
        def change(sql: sqlite3.Connection) -> bool:
            changed = sql.execute(statement, values).rowcount > 0
            sql.execute(_PURGE, values)
            return changed

        return await self._file.write(change)

    async def _page(self, after: str) -> list[str]:
        values = {**self._space, "after": after, "now": int(self._clock() * 1000)}
        rows = await self._file.read(lambda sql: sql.execute(_NAMES, values).fetchall())
        return [row[0] for row in rows]


def _rewrite_version(sql: sqlite3.Connection) -> None:
    """Write what is there already; a transaction without a change succeeds on a full disk."""
    version = int(sql.execute("PRAGMA user_version").fetchone()[0])
    sql.execute(f"PRAGMA user_version = {version}")


async def databases(file: SQLiteFile) -> list[str]:
    """Return the databases that hold a live entry."""
    return await _column(file, _DATABASES, {})


async def tables(file: SQLiteFile, database: str) -> list[str]:
    """Return the tables of the database that hold a live entry."""
    return await _column(file, _TABLES, {"database": database})


async def _column(file: SQLiteFile, query: str, values: dict[str, str]) -> list[str]:
    given = {**values, "now": int(time.time() * 1000)}
    rows = await file.read(lambda sql: sql.execute(query, given).fetchall())
    return [row[0] for row in rows]
