"""One SQLite file that several processes write at once.

The file is in WAL mode with `synchronous=FULL`: a commit is on the disk before it is
acknowledged. NORMAL would outlive `kill -9` just as well, yet a power cut could bring back an
app token that had been revoked; an fsync per write is cheap beside that. WAL needs shared
memory, so every process is on one machine and the file on a local file system.
"""

import asyncio
import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ocgate.core.errors import StoreError
from ocgate.stores.calls import answering

T = TypeVar("T")

_VERSION = 1
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS entries (
    database TEXT NOT NULL,
    "table" TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    revision TEXT NOT NULL,
    expires_at INTEGER,
    UNIQUE (database, "table", name)
);
CREATE INDEX IF NOT EXISTS entries_by_expiry
    ON entries (expires_at) WHERE expires_at IS NOT NULL;
PRAGMA user_version = 1;
COMMIT;
"""


_MAKING = threading.Lock()
"""Nobody in this process connects to a file between the two steps of making it."""


class SQLiteFile:
    """The file at `path`: opened by the first call, made with mode 0600 where it is missing."""

    def __init__(self, path: str | Path, *, timeout: float = 1.0) -> None:
        self.path = Path(path)
        self._timeout = timeout
        # In WAL mode nobody waits for a reader, nor a reader for the fsync of a write.
        self._reading = _Lane(self.path, patience=timeout * 0.8)
        self._writing = _Lane(self.path, patience=timeout * 0.8)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `query` reads; raises StoreError when there is no answer in time."""
        return await self._run(self._reading, query)

    async def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Run `change` as one transaction that is on the disk when this returns.

        Raises StoreError; what was still waiting when the time was up is not written later.
        """
        return await self._run(self._writing, lambda connection: _committed(connection, change))

    async def _run(self, lane: "_Lane", job: Callable[[sqlite3.Connection], T]) -> T:
        async with answering(f"sqlite {self.path}", self._timeout, sqlite3.Error):
            return await lane.run(job)

    async def aclose(self) -> None:
        """Close the connections; calls afterwards raise StoreError. May be called twice."""
        await asyncio.gather(self._reading.aclose(), self._writing.aclose())


class _Lane:
    """One connection and the one thread that uses it."""

    def __init__(self, path: Path, *, patience: float) -> None:
        self._path = path
        self._patience = patience
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ocgate-sqlite")
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreError("The store did not answer.", detail=f"sqlite {self._path}: closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._work, job)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
            self._thread.shutdown(wait=False)

    def _work(self, job: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return job(self._connected())
        except sqlite3.Error:
            # The next call starts from a fresh connection, whatever was wrong with this one.
            self._disconnect()
            raise

    def _connected(self) -> sqlite3.Connection:
        # A file that was replaced (a restored backup) is another store than the one held open.
        if self._connection is not None and self._file == _identity(self._path):
            return self._connection
        self._disconnect()
        self._connection = _open(self._path, self._patience)
        self._file = _identity(self._path)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _open(path: Path, patience: float) -> sqlite3.Connection:
    _make(path)
    connection = sqlite3.connect(path, timeout=patience, isolation_level=None)
    try:
        _prepare(connection, patience)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    """Make the file if it is missing; SQLite gives its -wal and -shm files the same mode.

    A file that is there is never opened here: closing it would take away all locks that SQLite
    holds on it for this process (POSIX, fcntl), and another process that believes to be the last
    one would remove the -wal file under our connections, with what they write later.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _MAKING, contextlib.suppress(FileExistsError):
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        os.close(os.open(path.resolve(), flags, 0o600))


def _prepare(connection: sqlite3.Connection, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            # Two processes switching a fresh file at once: SQLite does not wait for this lock.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.execute("PRAGMA synchronous = FULL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > _VERSION:
        raise sqlite3.DatabaseError(f"written by a later ocgate (schema {version})")
    if version < _VERSION:
        connection.executescript(_SCHEMA)


def _committed(connection: sqlite3.Connection, change: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = change(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result
