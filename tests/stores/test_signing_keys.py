import asyncio
import json
import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ocgate.core.errors import ConfigError, StoreError
from ocgate.stores.base import Entry
from ocgate.stores.memory import MemoryStore
from ocgate.stores.signing_keys import SigningKeys
from tests.support.key_worker import opened_keys, start_replica
from tests.support.stores import BACKENDS, Backend

ALAN = "b1f74ec4-dd7e-11ef-a543-03775734d0f7"
START = datetime(2025, 5, 22, 14, tzinfo=UTC)


class World:
    """Two namespaces behind `replicas` instances of `SigningKeys`, and one clock."""

    def __init__(self, ttl: timedelta = timedelta(hours=12)) -> None:
        self.seconds = 0.0
        self.down = False
        self.reads = 0
        self.current = Flaky(self)
        self.previous = Flaky(self)
        self.ttl = ttl

    def keys(self, grace: timedelta = timedelta(minutes=10)) -> SigningKeys:
        return SigningKeys(
            self.current,
            self.previous,
            ttl=self.ttl,
            grace=grace,
            now=lambda: START + timedelta(seconds=self.seconds),
            monotonic=lambda: self.seconds,
        )


class Flaky(MemoryStore):
    """Gives way to other tasks at each call, as a network would, and can be down."""

    def __init__(self, world: World) -> None:
        super().__init__(shared=True, now=lambda: world.seconds)
        self.world = world

    async def get(self, name: str, /) -> Entry | None:
        self.world.reads += 1
        await self.turn()
        return await super().get(name)

    async def create(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> bool:
        await self.turn()
        return await super().create(name, value, ttl=ttl)

    async def replace(
        self, name: str, value: bytes, /, *, revision: str, ttl: timedelta | None = None
    ) -> bool:
        await self.turn()
        return await super().replace(name, value, revision=revision, ttl=ttl)

    async def turn(self) -> None:
        await asyncio.sleep(0)
        if self.world.down:
            raise StoreError("The store does not answer.")


async def test_a_key_is_64_random_bytes_as_lower_case_hex_and_stays_the_same() -> None:
    keys = World().keys()
    assert await keys.find(ALAN) == ()
    key = await keys.find_or_create(ALAN)
    assert re.fullmatch(rb"[0-9a-f]{128}", key)
    assert await keys.find_or_create(ALAN) == key
    assert await keys.find(ALAN) == (key,)
    assert await keys.find_or_create("mary") != key


async def test_a_hundred_parallel_first_calls_on_two_replicas_make_one_key() -> None:
    world = World()
    replicas = [world.keys(), world.keys()]
    made = await asyncio.gather(*(replicas[n % 2].find_or_create(ALAN) for n in range(100)))
    assert len(set(made)) == 1
    assert await world.keys().find(ALAN) == (made[0],)


async def test_each_call_starts_the_life_of_the_key_anew() -> None:
    world = World(ttl=timedelta(hours=12))
    keys = world.keys()
    key = await keys.find_or_create(ALAN)
    for _ in range(3):
        world.seconds += 11 * 3600
        assert await keys.find_or_create(ALAN) == key
    world.seconds += 13 * 3600
    assert await keys.find(ALAN) == ()
    assert await keys.find_or_create(ALAN) != key


async def test_the_previous_key_is_found_until_its_grace_time_ends() -> None:
    world = World()
    keys = world.keys(grace=timedelta(minutes=10))
    old = await keys.find_or_create(ALAN)
    new = await keys.rotate(ALAN)
    assert new != old
    assert await keys.find(ALAN) == (new, old)
    world.seconds += 599
    assert await keys.find(ALAN) == (new, old)
    world.seconds += 1
    assert await keys.find(ALAN) == (new,)


async def test_the_grace_time_ends_in_a_store_that_does_not_expire() -> None:
    world = World()
    keys = world.keys(grace=timedelta(minutes=10))
    old = await keys.find_or_create(ALAN)
    new = await keys.rotate(ALAN)
    kept = await world.previous.get(ALAN)
    assert kept is not None
    await world.previous.put(ALAN, kept.value)
    assert await keys.find(ALAN) == (new, old)
    world.seconds += 600
    assert await keys.find(ALAN) == (new,)


async def test_rotating_without_grace_ends_the_old_key_at_once() -> None:
    keys = World().keys(grace=timedelta(0))
    old = await keys.find_or_create(ALAN)
    new = await keys.rotate(ALAN)
    assert await keys.find(ALAN) == (new,)
    assert new != old


async def test_rotating_a_user_without_key_makes_one() -> None:
    keys = World().keys()
    assert await keys.find(ALAN) == ()
    key = await keys.rotate(ALAN)
    assert await keys.find(ALAN) == (key,)


async def test_parallel_rotations_leave_one_current_key() -> None:
    world = World()
    keys = world.keys()
    await keys.find_or_create(ALAN)
    made = await asyncio.gather(*(keys.rotate(ALAN) for _ in range(5)))
    current, *_ = await keys.find(ALAN)
    assert current in made


@pytest.mark.parametrize("value", [b"", b"ab" * 31, b"ab" * 31 + b"a", b"z" * 128, b"\x00" * 64])
async def test_an_unusable_value_is_never_a_key(
    value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    await world.current.put(ALAN, value)
    with caplog.at_level(logging.ERROR, "ocgate.signing_keys"):
        assert await world.keys().find(ALAN) == ()
    (record,) = caplog.records
    assert record.__dict__["fields"]["user_id"] == ALAN
    made = await world.keys().find_or_create(ALAN)
    assert await world.keys().find(ALAN) == (made,)


async def test_an_unusable_previous_key_is_left_out() -> None:
    world = World()
    key = await world.keys().find_or_create(ALAN)
    for value in (
        b"",
        b"ab" * 64,
        b"ab" * 64 + b" soon",
        b" 99999999999.000",
        b"ab 9999999999.000",
    ):
        await world.previous.put(ALAN, value)
        assert await world.keys().find(ALAN) == (key,)
    await world.previous.put(ALAN, b"ab" * 64 + b" 99999999999.000")
    assert await world.keys().find(ALAN) == (key, b"ab" * 64)


async def test_a_key_of_the_family_in_upper_case_and_of_32_bytes_is_taken() -> None:
    world = World()
    await world.current.put(ALAN, b"AB" * 32)
    assert await world.keys().find(ALAN) == (b"AB" * 32,)
    assert await world.keys().find_or_create(ALAN) == b"AB" * 32


async def test_a_key_is_read_once_a_second_and_a_rotation_elsewhere_counts_then() -> None:
    world = World()
    here, elsewhere = world.keys(), world.keys()
    old = await here.find_or_create(ALAN)
    await here.find(ALAN)
    world.reads = 0
    for _ in range(50):
        assert await here.find(ALAN) == (old,)
    assert world.reads == 0
    new = await elsewhere.rotate(ALAN)
    assert await here.find(ALAN) == (old,)
    assert await here.find(ALAN, fresh=True) == (new, old)
    newer = await elsewhere.rotate(ALAN)
    world.seconds += 1
    assert await here.find(ALAN) == (newer, new)


async def test_that_there_is_no_key_is_not_remembered() -> None:
    world = World()
    here, elsewhere = world.keys(), world.keys()
    assert await here.find(ALAN) == ()
    key = await elsewhere.find_or_create(ALAN)
    assert await here.find(ALAN) == (key,)


async def test_a_known_key_serves_for_a_minute_while_the_store_is_down() -> None:
    world = World()
    keys = world.keys()
    key = await keys.find_or_create(ALAN)
    assert await keys.find(ALAN) == (key,)
    world.down = True
    world.seconds = 59.0
    assert await keys.find(ALAN) == (key,)
    with pytest.raises(StoreError):
        await keys.find("mary")
    world.seconds = 61.0
    with pytest.raises(StoreError):
        await keys.find(ALAN)
    world.down = False
    assert await keys.find(ALAN) == (key,)


async def test_a_store_that_is_down_is_asked_once_a_second() -> None:
    world = World()
    keys = world.keys()
    key = await keys.find_or_create(ALAN)
    await keys.find(ALAN)
    world.down = True
    world.seconds = 10.0
    assert await keys.find(ALAN) == (key,)
    world.reads = 0
    assert await keys.find(ALAN, fresh=True) == (key,)
    assert world.reads == 0


async def test_what_cannot_be_written_is_a_store_error() -> None:
    world = World()
    keys = world.keys()
    world.down = True
    with pytest.raises(StoreError):
        await keys.find_or_create(ALAN)
    with pytest.raises(StoreError):
        await keys.rotate(ALAN)


class Contended(MemoryStore):
    async def create(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> bool:
        return False


async def test_endless_contention_is_a_store_error() -> None:
    store = Contended(shared=True)
    keys = SigningKeys(store, store, ttl=None, grace=timedelta(0))
    with pytest.raises(StoreError):
        await keys.find_or_create(ALAN)
    with pytest.raises(StoreError):
        await keys.rotate(ALAN)


async def test_the_number_of_cached_users_is_bounded() -> None:
    store = MemoryStore(shared=True)
    keys = SigningKeys(store, MemoryStore(shared=True), ttl=None, grace=timedelta(0), cache_size=2)
    for user in ("a", "b", "c"):
        await keys.find_or_create(user)
        assert len(await keys.find(user)) == 1
    assert list(keys._known) == ["b", "c"]


@pytest.mark.parametrize(("current", "previous"), [(False, True), (True, False)])
def test_a_store_that_is_not_shared_is_refused_with_the_reason(
    current: bool, previous: bool
) -> None:
    with pytest.raises(ConfigError, match="memory of one process"):
        SigningKeys(
            MemoryStore(shared=current),
            MemoryStore(shared=previous),
            ttl=None,
            grace=timedelta(0),
        )


@pytest.mark.parametrize("kind", list(BACKENDS))
async def test_replicas_that_are_asked_at_once_make_one_key_in_a_real_store(
    kind: str, running: Callable[[str], Backend]
) -> None:
    settings, table = running(kind).settings, uuid4().hex
    at = time.time() + 2
    replicas = [start_replica(settings, table, ALAN, at) for _ in range(2)]
    printed = [replica.communicate(timeout=60)[0] for replica in replicas]
    assert [replica.returncode for replica in replicas] == [0, 0]
    made = [json.loads(line) for line in printed]
    assert len(made[0]) == 1
    assert made[0] == made[1]
    async with opened_keys(settings, table) as here, opened_keys(settings, table) as there:
        old = made[0][0].encode()
        assert await here.find(ALAN) == (old,)
        assert await here.find_or_create(ALAN) == old
        new = await there.rotate(ALAN)
        assert await here.find(ALAN, fresh=True) == (new, old)
        assert await here.find_or_create(ALAN) == new
