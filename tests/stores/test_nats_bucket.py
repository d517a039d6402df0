from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from ocgate.stores.nats_bucket import Message, NATSBucket
from ocgate.stores.nats_connection import NATSConnection
from tests.support.stores import PASSWORD, USER, Running, nats_server


@pytest.fixture
async def connection(running: Running) -> AsyncIterator[NATSConnection]:
    made = NATSConnection(running("nats-js-kv").settings.nodes, username=USER, password=PASSWORD)
    yield made
    await made.aclose()


async def stream(connection: NATSConnection, bucket: str) -> Any:
    jetstream = cast("Any", await connection.client()).jetstream()
    return (await jetstream.stream_info(f"KV_{bucket}")).config


async def test_a_missing_bucket_is_made_as_the_family_makes_it(connection: NATSConnection) -> None:
    name = uuid4().hex
    bucket = NATSBucket(connection, name, ttl=timedelta(hours=12))
    assert await bucket.ttl() == 12 * 3600
    config = await stream(connection, name)
    assert config.subjects == [f"$KV.{name}.>"]
    assert (config.storage, config.max_msgs_per_subject, config.max_age) == ("file", 1, 12 * 3600)
    assert (config.allow_direct, config.deny_delete, config.allow_rollup_hdrs) == (True,) * 3
    assert (config.discard, config.num_replicas) == ("new", 1)


async def test_a_bucket_that_exists_is_used_as_it_is(connection: NATSConnection) -> None:
    name = uuid4().hex
    await NATSBucket(connection, name, ttl=timedelta(seconds=7), in_memory=True).check()
    other = NATSBucket(connection, name, ttl=timedelta(hours=1))
    assert await other.ttl() == 7
    config = await stream(connection, name)
    assert (config.storage, config.max_age) == ("memory", 7)


async def test_writes_name_what_they_follow(connection: NATSConnection) -> None:
    bucket = NATSBucket(connection, uuid4().hex)
    assert await bucket.ttl() is None
    assert await bucket.last("k") == Message()
    assert await bucket.write("k", b"1", after=0) is True
    assert await bucket.write("k", b"2", after=0) is False
    first = await bucket.last("k")
    assert first.value == b"1"
    assert await bucket.write("k", b"", after=first.sequence) is True
    second = await bucket.last("k")
    assert second.value == b""
    assert await bucket.delete("k", after=first.sequence) is False
    assert await bucket.delete("k", after=second.sequence) is True
    gone = await bucket.last("k")
    assert gone.value is None
    assert gone.sequence > second.sequence
    assert await bucket.write("k", b"4") is True
    assert await bucket.keys() == ["k"]


async def test_a_bucket_that_vanished_is_made_again(tmp_path: Path) -> None:
    with nats_server(tmp_path, login=False) as server:
        connection = NATSConnection([server.address])
        bucket = NATSBucket(connection, "b")
        jetstream = cast("Any", await connection.client()).jetstream()
        for call in (bucket.last("k"), bucket.keys(), bucket.check(), bucket.write("k", b"v")):
            await bucket.check()
            await jetstream.delete_stream("KV_b")
            await call
        assert (await bucket.last("k")).value == b"v"
        await connection.aclose()
