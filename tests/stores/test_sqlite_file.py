import asyncio
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ocgate.core.errors import StoreError
from ocgate.stores.sqlite_file import SQLiteFile


def insert(name: str) -> str:
    return f"INSERT INTO entries VALUES ('d', 't', '{name}', x'00', 'r', NULL)"


async def rows(file: SQLiteFile) -> list[str]:
    found = await file.read(lambda sql: sql.execute("SELECT name FROM entries").fetchall())
    return [name for (name,) in found]


async def test_the_file_and_its_companions_are_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "made" / "too" / "store.db"
    file = SQLiteFile(path)
    assert not path.exists()
    await file.write(lambda sql: sql.execute(insert("n")))
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    await file.aclose()


_LOOK = """
import sqlite3, sys
sql = sqlite3.connect(sys.argv[1])
print(*[name for (name,) in sql.execute("SELECT name FROM entries")])
sql.close()
"""


def seen_by_another_process(path: Path) -> list[str]:
    argv = [sys.executable, "-c", _LOOK, str(path)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()


async def test_a_process_that_comes_and_goes_takes_nothing_away(tmp_path: Path) -> None:
    """Had our locks been lost, it would take itself for the last one and remove the -wal file."""
    path = tmp_path / "store.db"
    file = SQLiteFile(path)
    assert await file.write(lambda sql: sql.execute(insert("a")).rowcount) == 1
    assert await rows(file) == ["a"]
    again = SQLiteFile(path)
    assert await rows(again) == ["a"]
    assert seen_by_another_process(path) == ["a"]
    assert path.with_name("store.db-wal").exists()
    await file.write(lambda sql: sql.execute(insert("b")))
    assert seen_by_another_process(path) == ["a", "b"]
    assert await rows(again) == ["a", "b"]
    await file.aclose()
    await again.aclose()


async def test_every_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    file = SQLiteFile(tmp_path / "store.db")
    asked = "SELECT * FROM pragma_journal_mode, pragma_synchronous"
    assert await file.write(lambda sql: sql.execute(asked).fetchone()) == ("wal", 2)
    await file.aclose()


async def test_a_change_that_fails_leaves_nothing(tmp_path: Path) -> None:
    file = SQLiteFile(tmp_path / "store.db")

    def change(sql: sqlite3.Connection) -> None:
        sql.execute(insert("half"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await file.write(change)
    assert await rows(file) == []
    await file.write(lambda sql: sql.execute(insert("whole")))
    assert await rows(file) == ["whole"]
    await file.aclose()


async def test_a_locked_file_is_an_error_in_time_and_heals(tmp_path: Path) -> None:
    file = SQLiteFile(tmp_path / "store.db", timeout=0.3)
    await file.write(lambda sql: sql.execute(insert("one")))
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="did not answer"):
        await file.write(lambda sql: sql.execute(insert("two")))
    assert await rows(file) == ["one"]
    other.execute("ROLLBACK")
    other.close()
    await file.write(lambda sql: sql.execute(insert("three")))
    assert await rows(file) == ["one", "three"]
    await file.aclose()


async def test_what_was_still_waiting_when_the_time_was_up_is_not_written(tmp_path: Path) -> None:
    file = SQLiteFile(tmp_path / "store.db", timeout=0.2)
    await file.write(lambda _: None)
    go_on = threading.Event()
    slow = asyncio.create_task(file.write(lambda _: go_on.wait(10)))
    await asyncio.sleep(0.05)
    waiting = asyncio.create_task(file.write(lambda sql: sql.execute(insert("late"))))
    for task in (slow, waiting):
        with pytest.raises(StoreError):
            await task
    go_on.set()
    await file.write(lambda sql: sql.execute(insert("next")))
    assert await rows(file) == ["next"]
    await file.aclose()


async def test_a_file_that_was_replaced_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    backup, file = SQLiteFile(tmp_path / "backup.db"), SQLiteFile(path)
    await backup.write(lambda sql: sql.execute(insert("restored")))
    await backup.aclose()
    await file.write(lambda sql: sql.execute(insert("before")))
    assert await rows(file) == ["before"]
    (tmp_path / "backup.db").rename(path)
    for companion in ("store.db-wal", "store.db-shm"):
        (tmp_path / companion).unlink()
    assert await rows(file) == ["restored"]
    await file.aclose()


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"\x00" * 4096])
async def test_a_file_that_is_no_database_is_an_error_and_stays_as_it_is(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(content)
    file = SQLiteFile(path, timeout=0.3)
    with pytest.raises(StoreError):
        await file.write(lambda sql: sql.execute(insert("n")))
    assert path.read_bytes() == content
    await file.aclose()


async def test_a_file_of_a_later_schema_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    sql = sqlite3.connect(path)
    sql.execute("PRAGMA user_version = 7")
    sql.close()
    file = SQLiteFile(path)
    with pytest.raises(StoreError) as caught:
        await file.read(lambda sql: sql.execute("SELECT 1").fetchone())
    assert "schema 7" in caught.value.detail
    await file.aclose()


async def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    file = SQLiteFile(tmp_path / "file" / "store.db")
    with pytest.raises(StoreError):
        await file.write(lambda _: None)
    await file.aclose()


async def test_a_closed_file_does_not_answer(tmp_path: Path) -> None:
    file = SQLiteFile(tmp_path / "store.db")
    await file.write(lambda _: None)
    await file.aclose()
    await file.aclose()
    with pytest.raises(StoreError):
        await file.read(lambda _: None)
