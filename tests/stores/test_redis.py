import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from ocgate.core.errors import ConfigError, StoreError
from ocgate.stores.redis import CONNECTIONS, redis_store
from ocgate.stores.settings import StoreSettings
from tests.support.stores import PASSWORD, Running

USER_ID = "4c510ada-c86b-4815-8820-42cdf82c3d51"


@pytest.fixture
def node(running: Running) -> str:
    return running("redis").settings.nodes[0]


@pytest.fixture
async def redis(node: str) -> AsyncIterator[Any]:
    """The server as another program sees it."""
    host, port = node.split(":")
    client = Redis(host=host, port=int(port), password=PASSWORD)
    yield client
    await client.aclose()


def with_password(node: str) -> StoreSettings:
    return StoreSettings("redis", (node,), password=PASSWORD, timeout=10)


async def test_a_signing_key_is_where_the_family_keeps_it(node: str, redis: Any) -> None:
    store = redis_store(with_password(node), table="signing-keys")
    key = f"signing-keys{USER_ID}"
    await store.put(USER_ID, b"text of the key")
    assert await redis.get(key) == b"text of the key"
    assert await redis.ttl(key) == -1
    # As the family writes, without a time to live.
    await redis.set(key, b"of the family")
    entry = await store.get(USER_ID)
    assert entry is not None
    assert entry.value == b"of the family"
    assert await store.delete(USER_ID) is True
    assert await redis.exists(key) == 0
    await store.aclose()


@pytest.mark.parametrize("table", ["a*", "[a-z]", "a?", "a\\b", "^a"])
async def test_a_table_is_not_a_pattern(node: str, redis: Any, table: str) -> None:
    store = redis_store(with_password(node), table=table)
    await redis.set("abc", b"of another table")
    await store.put("name", b"v")
    assert [name async for name in store.names()] == ["name"]
    await store.delete("name")
    await store.aclose()


async def test_an_empty_value_without_a_time_to_live_replaces(node: str, redis: Any) -> None:
    store = redis_store(with_password(node), table=uuid4().hex)
    await store.put("n", b"1")
    entry = await store.get("n")
    assert entry is not None
    assert await store.replace("n", b"", revision=entry.revision) is True
    found = await store.get("n")
    assert found is not None
    assert found.value == b""
    await store.aclose()


async def test_more_calls_than_connections_wait_their_turn(node: str, redis: Any) -> None:
    store = redis_store(with_password(node), table=uuid4().hex)
    before = len(await redis.client_list())
    await asyncio.gather(*(store.put(str(number), b"v") for number in range(200)))
    assert len(await redis.client_list()) - before <= CONNECTIONS
    await store.aclose()


async def test_a_key_of_another_type_is_an_error(node: str, redis: Any) -> None:
    table = uuid4().hex
    store = redis_store(with_password(node), table=table)
    await redis.lpush(f"{table}n", b"element")
    with pytest.raises(StoreError) as caught:
        await store.get("n")
    assert "WRONGTYPE" in caught.value.detail
    await store.aclose()


@pytest.mark.parametrize("form", ["redis://{}", "redis://{}/3", "redis://:{pw}@{}", "{}/3"])
async def test_a_node_is_an_address_or_a_url(node: str, form: str) -> None:
    settings = with_password(form.format(node, pw=PASSWORD))
    store = redis_store(settings, table=uuid4().hex)
    await store.check()
    await store.aclose()


@pytest.mark.parametrize(
    "nodes", [("a:1", "b:2"), ("http://a:1",), ("redis://a:port",), ("a:99999999999999999999x",)]
)
def test_other_nodes_are_refused(nodes: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        redis_store(StoreSettings("redis", nodes), table="t")
