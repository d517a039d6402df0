"""The contract of `Store`, held by every backend with its real server."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocgate.core.errors import StoreError
from ocgate.stores.base import Store
from ocgate.stores.open import KINDS, open_store
from ocgate.stores.settings import StoreSettings
from tests.support.store_worker import start_worker
from tests.support.stores import BACKENDS, PASSWORD, Backend, Running

T = TypeVar("T")

KEEPING = ("opencloudstoreservice", "ocisstoreservice")
"""Kinds without a time to live."""

DATABASE = "contract"


@pytest.fixture(params=list(BACKENDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(kind: str, running: Running) -> Backend:
    return running(kind)


@pytest.fixture
def table() -> str:
    return uuid4().hex


@pytest.fixture
async def store(backend: Backend, table: str) -> AsyncIterator[Store]:
    async with opened(backend.settings, table) as found:
        yield found


@contextlib.asynccontextmanager
async def opened(of: StoreSettings, table: str = "") -> AsyncGenerator[Store]:
    store = open_store(of, database=DATABASE, table=table or uuid4().hex)
    try:
        yield store
    finally:
        await store.aclose()


async def names(store: Store) -> list[str]:
    return sorted([name async for name in store.names()])


async def healed(call: Callable[[], Awaitable[T]]) -> T:
    """Call until the store answers; the last error after the deadline."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return await call()
        except StoreError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)


def test_every_kind_is_in_this_suite() -> None:
    assert set(BACKENDS) == set(KINDS)


async def test_processes_share_it(store: Store, kind: str) -> None:
    assert store.shared
    assert store.expires is (kind not in KEEPING)


async def test_a_missing_entry_is_none(store: Store) -> None:
    assert await store.get("nobody") is None
    assert await store.delete("nobody") is False
    assert await store.replace("nobody", b"v", revision="1") is False
    assert await names(store) == []


async def test_what_was_put_is_there_until_it_is_deleted(store: Store) -> None:
    await store.put("name", b"one")
    await store.put("name", b"two")
    entry = await store.get("name")
    assert entry is not None
    assert entry.value == b"two"
    assert await names(store) == ["name"]
    assert await store.delete("name") is True
    assert await store.get("name") is None
    assert await store.delete("name") is False
    assert await names(store) == []


async def test_create_does_not_overwrite(store: Store) -> None:
    assert await store.create("name", b"first") is True
    assert await store.create("name", b"second") is False
    entry = await store.get("name")
    assert entry is not None
    assert entry.value == b"first"


async def test_a_deleted_entry_can_be_created_again(store: Store) -> None:
    for number in range(3):
        assert await store.create("name", b"%d" % number) is True
        assert await store.delete("name") is True
    assert await store.create("name", b"last") is True


async def test_replace_needs_the_revision_of_now(store: Store) -> None:
    await store.put("name", b"one")
    first = await store.get("name")
    assert first is not None
    assert await store.replace("name", b"two", revision=first.revision) is True
    assert await store.replace("name", b"three", revision=first.revision) is False
    second = await store.get("name")
    assert second is not None
    assert second.value == b"two"
    assert second.revision != first.revision
    assert await store.replace("name", b"x", revision="") is False
    assert await store.replace("name", b"x", revision="none") is False


async def test_a_deleted_entry_is_not_replaced(store: Store) -> None:
    await store.put("name", b"one")
    entry = await store.get("name")
    assert entry is not None
    await store.delete("name")
    assert await store.replace("name", b"two", revision=entry.revision) is False
    assert await store.get("name") is None


async def test_a_revision_is_not_used_again(store: Store, kind: str) -> None:
    revisions = set[str]()
    for _ in range(4):
        await store.put("name", b"the same")
        entry = await store.get("name")
        assert entry is not None
        revisions.add(entry.revision)
        await store.delete("name")
    # In Redis a revision is the value's hash: the same value is the same revision.
    assert len(revisions) == (1 if kind.startswith("redis") else 4)


@pytest.mark.parametrize("value", [b"", b"\x00", bytes(range(256)) * 8, b"null", b'{"a":"<&>"}'])
async def test_a_value_is_any_bytes(store: Store, value: bytes) -> None:
    await store.put("name", value)
    entry = await store.get("name")
    assert entry is not None
    assert entry.value == value
    assert await store.replace("name", value + b"!", revision=entry.revision) is True


AWKWARD = (
    *("a.b", ".", "..", "*", ">", "$KV.x.>", "a b", " ", "/", "../../etc/passwd", "a\\b", "[a-z]?"),
    *("k_ey", "_", "名前", "😀", "ä", "a\u0308", "\x00", "line\nbreak", "%", "<&>\u2028", "-", '"'),
    *("x" * 255, "名" * 255),
)


async def test_a_name_is_any_text(store: Store) -> None:
    for name in AWKWARD:
        assert await store.create(name, name.encode()) is True, name
    for name in AWKWARD:
        entry = await store.get(name)
        assert entry is not None, name
        assert entry.value == name.encode()
    assert await names(store) == sorted(AWKWARD)
    assert await store.delete("*") is True
    assert await names(store) == sorted(set(AWKWARD) - {"*"})


@pytest.mark.parametrize("name", ["", "x" * 1025, "\ud800"], ids=["empty", "long", "surrogate"])
async def test_what_is_no_name_is_refused(store: Store, name: str) -> None:
    for call in (store.get(name), store.put(name, b"v"), store.create(name, b"v")):
        with pytest.raises(ValueError, match=r"name|surrogates"):
            await call
    with pytest.raises(ValueError, match=r"name|surrogates"):
        await store.delete(name)
    await store.put("x" * 1024, b"the longest")
    assert await store.get("x" * 1024) is not None


async def test_tables_and_stores_do_not_mix(backend: Backend, store: Store) -> None:
    await store.put("name", b"mine")
    async with opened(backend.settings) as other:
        assert await other.get("name") is None
        assert await names(other) == []
        assert await other.create("name", b"theirs") is True
    entry = await store.get("name")
    assert entry is not None
    assert entry.value == b"mine"


async def test_many_names_are_listed(store: Store) -> None:
    await asyncio.gather(*(store.put(f"name-{number}", b"v") for number in range(300)))
    assert await names(store) == sorted(f"name-{number}" for number in range(300))


@pytest.mark.parametrize("kind", [kind for kind in BACKENDS if kind not in KEEPING], indirect=True)
async def test_an_entry_ends_with_its_time_to_live(store: Store) -> None:
    soon = timedelta(seconds=0.3)
    await store.put("put", b"v", ttl=soon)
    assert await store.create("created", b"v", ttl=soon) is True
    await store.put("replaced", b"v")
    entry = await store.get("replaced")
    assert entry is not None
    assert await store.replace("replaced", b"w", revision=entry.revision, ttl=soon) is True
    await store.put("kept", b"v", ttl=soon)
    await store.put("kept", b"v", ttl=timedelta(hours=1))
    assert len(await names(store)) == 4
    deadline = time.monotonic() + 10
    while await names(store) != ["kept"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert await store.get("put") is None
    assert await store.delete("created") is False
    assert await store.create("put", b"again") is True
    assert await names(store) == ["kept", "put"]


@pytest.mark.parametrize("kind", KEEPING, indirect=True)
async def test_the_store_service_keeps_entries_whatever_time_they_were_given(store: Store) -> None:
    await store.put("name", b"v", ttl=timedelta(microseconds=1))
    await asyncio.sleep(0.01)
    assert await store.get("name") is not None


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    value=st.binary(max_size=2000),
)
async def test_round_trip(store: Store, name: str, value: bytes) -> None:
    await store.put(name, value)
    entry = await store.get(name)
    assert entry is not None
    assert entry.value == value
    assert name in await names(store)
    assert await store.delete(name) is True


async def test_one_of_fifty_creators_in_two_processes_wins(
    backend: Backend, store: Store, table: str
) -> None:
    workers = [
        start_worker("race", backend.settings, database=DATABASE, table=table, name="n", mark=mark)
        for mark in ("a", "b")
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert await asyncio.to_thread(worker.stdout.readline) == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    outputs = [await asyncio.to_thread(worker.communicate, timeout=50) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    winners = [winner for output, _ in outputs for winner in json.loads(output)]
    entry = await store.get("n")
    assert entry is not None
    assert winners == [entry.value.decode()]


SERVED = [kind for kind in BACKENDS if kind != "sqlite"]


@pytest.mark.parametrize("kind", SERVED, indirect=True)
async def test_a_server_that_was_down_is_found_when_it_is_up(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with BACKENDS[kind](tmp_path, start=False) as backend:
        assert backend.server is not None
        async with opened(backend.impatient()) as store:
            await fails_soon(store)
            backend.server.start()
            await healed(store.check)
            await healed(lambda: store.put("name", b"before"))
            backend.server.stop()
            await fails_soon(store)
            backend.server.start()
            await healed(lambda: store.put("name", b"after"))
            entry = await healed(lambda: store.get("name"))
            assert entry is not None
            assert entry.value == b"after"
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


@pytest.mark.parametrize("kind", ["nats-js-kv", "redis", "opencloudstoreservice"], indirect=True)
async def test_a_server_that_hangs_is_an_error_in_time(backend: Backend) -> None:
    assert backend.server is not None
    async with opened(backend.impatient()) as store:
        await store.put("name", b"before")
        os.kill(backend.server.pid, signal.SIGSTOP)
        try:
            await fails_soon(store)
        finally:
            os.kill(backend.server.pid, signal.SIGCONT)
        assert await healed(lambda: store.get("name")) is not None
        await healed(lambda: store.put("name", b"after"))


async def fails_soon(store: Store) -> None:
    """Every kind of call says that the store is down, in about its time-out of 1 s."""
    began = time.monotonic()
    calls = (store.get("n"), store.put("n", b""), store.create("n", b""), store.delete("n"))
    more = (store.replace("n", b"", revision="1"), store.check(), names(store))
    results = await asyncio.gather(*calls, *more, return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * len(results)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("kind", ["nats-js-kv", "redis", "redis-sentinel"], indirect=True)
async def test_a_wrong_password_is_a_store_error(backend: Backend) -> None:
    async with opened(replace(backend.settings, password="wrong")) as store:
        with pytest.raises(StoreError) as caught:
            await store.get("name")
        assert PASSWORD not in caught.value.detail
        assert "wrong" not in str(caught.value)
    async with opened(backend.settings) as store:
        assert await store.get("name") is None


async def test_a_killed_writer_loses_nothing_that_was_acknowledged(
    backend: Backend, store: Store, table: str
) -> None:
    worker = start_worker("write", backend.settings, database=DATABASE, table=table)
    acknowledged = list[str]()
    try:
        assert worker.stdout is not None
        for _ in range(20):
            line = await asyncio.to_thread(worker.stdout.readline)
            acknowledged.append(line.strip())
    finally:
        worker.kill()
    rest, _ = worker.communicate()
    # The last line may be half of one.
    acknowledged += rest.split("\n")[:-1]
    assert set(acknowledged) <= set(await names(store))
    for name in acknowledged:
        entry = await store.get(name)
        assert entry is not None
        assert entry.value == name.replace("entry", "value").encode()


@pytest.mark.parametrize("kind", KEEPING, indirect=True)
async def test_a_killed_store_service_loses_nothing_that_was_acknowledged(
    kind: str, tmp_path: Path
) -> None:
    with BACKENDS[kind](tmp_path) as backend:
        assert backend.server is not None
        async with opened(backend.settings) as store:
            await healed(store.check)
            kept = list[str]()

            async def write() -> None:
                for number in range(10_000):
                    await store.put(f"entry-{number}", b"v")
                    kept.append(f"entry-{number}")

            writing = asyncio.create_task(write())
            while len(kept) < 20:
                await asyncio.sleep(0.005)
            backend.server.kill()
            with pytest.raises(StoreError):
                await writing
            backend.server.start()
            found = await healed(lambda: names(store))
            assert set(kept) <= set(found)


async def test_closing_twice_is_closing(backend: Backend) -> None:
    store = open_store(backend.settings, database=DATABASE, table="t")
    await store.aclose()
    await store.aclose()
    used = open_store(backend.settings, database=DATABASE, table="t")
    await used.check()
    await used.aclose()
    await used.aclose()
