import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from ocgate.stores.sqlite import SQLiteStore, databases, tables
from ocgate.stores.sqlite_file import SQLiteFile

HOUR = timedelta(hours=1)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def count(path: Path) -> int:
    sql = sqlite3.connect(path)
    found = sql.execute("SELECT count(*) FROM entries").fetchone()[0]
    sql.close()
    return int(found)


async def test_expired_entries_leave_the_file_in_passing(tmp_path: Path) -> None:
    path, clock = tmp_path / "store.db", Clock()
    store = SQLiteStore(SQLiteFile(path), database="d", table="t", clock=clock)
    for number in range(60):
        await store.put(f"n{number}", b"v", ttl=HOUR)
    await store.put("kept", b"v")
    clock.now += 3599.9
    assert await store.get("n1") is not None
    clock.now += 0.1
    assert await store.get("n1") is None
    assert [name async for name in store.names()] == ["kept"]
    assert count(path) == 61
    await store.put("kept", b"v")
    assert count(path) == 11
    await store.put("kept", b"v")
    assert count(path) == 1
    await store.aclose()


async def test_an_entry_without_its_own_time_to_live_gets_the_one_of_the_store(
    tmp_path: Path,
) -> None:
    clock = Clock()
    store = SQLiteStore(
        SQLiteFile(tmp_path / "store.db"), database="d", table="t", ttl=HOUR, clock=clock
    )
    await store.put("default", b"v")
    await store.put("own", b"v", ttl=2 * HOUR)
    clock.now += 3600
    assert [name async for name in store.names()] == ["own"]
    await store.aclose()


async def test_a_value_of_another_type_is_read_as_the_bytes_of_its_text(tmp_path: Path) -> None:
    """SQLite keeps any type in any column, so somebody's repair by hand is no error here."""
    path = tmp_path / "store.db"
    store = SQLiteStore(SQLiteFile(path), database="d", table="t")
    for name in ("blob", "text", "number"):
        await store.put(name, b"v")
    sql = sqlite3.connect(path)
    with sql:
        sql.execute("UPDATE entries SET value = 'ab' WHERE name = 'text'")
        sql.execute("UPDATE entries SET value = 5 WHERE name = 'number'")
    sql.close()
    found = [await store.get(name) for name in ("blob", "text", "number")]
    assert [entry.value for entry in found if entry] == [b"v", b"ab", b"5"]
    await store.aclose()


_CHECK_ON_A_FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from ocgate.core.errors import StoreError
from ocgate.stores.sqlite import SQLiteStore
from ocgate.stores.sqlite_file import SQLiteFile

async def main():
    path = Path(sys.argv[1])
    store = SQLiteStore(SQLiteFile(path), database="d", table="t")
    await store.put("n", b"v")
    await store.check()
    written = path.with_name(path.name + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
    print((await store.get("n")).value)
    try:
        await store.check()
    except StoreError as error:
        print(error)
    await store.aclose()

asyncio.run(main())
"""


def test_a_full_disk_is_found_by_the_check(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", _CHECK_ON_A_FULL_DISK, str(tmp_path / "store.db")]
    ran = subprocess.run(argv, check=True, capture_output=True, timeout=30)
    assert ran.stdout.decode().splitlines() == ["b'v'", "The store did not answer."]


async def test_more_names_than_one_page_are_listed(tmp_path: Path) -> None:
    file = SQLiteFile(tmp_path / "store.db")
    store = SQLiteStore(file, database="d", table="t")
    await store.check()
    insert = "INSERT INTO entries VALUES ('d', 't', ?, x'', 'r', NULL)"
    await file.write(lambda sql: sql.executemany(insert, [(f"{n:04}",) for n in range(1200)]))
    assert [name async for name in store.names()] == [f"{n:04}" for n in range(1200)]
    await store.aclose()


async def test_one_file_holds_many_databases_and_tables(tmp_path: Path) -> None:
    file = SQLiteFile(tmp_path / "store.db")
    places = [("d1", "t1"), ("d1", "t2"), ("d2", "t1")]
    stores = [SQLiteStore(file, database=d, table=t) for d, t in places]
    for store, value in zip(stores, (b"1", b"2", b"3"), strict=True):
        assert await store.create("name", value) is True
    assert sorted(await databases(file)) == ["d1", "d2"]
    assert sorted(await tables(file, "d1")) == ["t1", "t2"]
    assert await tables(file, "d3") == []
    entry = await stores[1].get("name")
    assert entry is not None
    assert entry.value == b"2"
    await file.aclose()
