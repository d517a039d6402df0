import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from ocgate.core.errors import ConfigError, StoreError
from ocgate.stores.redis_sentinel import RedisSentinelStore, redis_sentinel_store
from ocgate.stores.settings import StoreSettings
from tests.support.stores import MASTER, PASSWORD, Server, redis_sentinel, redis_server


async def told(server: Server, *command: str, password: str | None = PASSWORD) -> Any:
    """Say one command to a server, over a connection of its own."""
    async with Redis(host="127.0.0.1", port=server.port, password=password) as client:
        return await cast("Any", client).execute_command(*command)


@contextlib.asynccontextmanager
async def watched(
    folder: Path,
) -> AsyncGenerator[tuple[RedisSentinelStore, Server, Server, Server]]:
    """Yield a store, the master, its replica in step and the Sentinel that knows both."""
    with redis_server(folder, "--repl-diskless-sync-delay", "0") as master:
        follow = ("--replicaof", "127.0.0.1", str(master.port))
        with redis_server(folder, *follow) as replica:
            async with asyncio.timeout(30):
                while (await told(replica, "INFO", "replication"))["master_link_status"] != "up":
                    await asyncio.sleep(0.05)
            # Started last: it asks a master for its replicas at once, and then every 10 s.
            with redis_sentinel(folder, master) as sentinel:
                nodes = (f"{sentinel.address}/{MASTER}",)
                settings = StoreSettings("redis-sentinel", nodes, password=PASSWORD, timeout=10)
                store = redis_sentinel_store(settings, table="t")
                yield store, master, replica, sentinel
                await store.aclose()


async def test_a_refused_write_goes_to_the_new_master_in_the_same_call(tmp_path: Path) -> None:
    async with watched(tmp_path) as (store, first, second, sentinel):
        await store.put("n", b"1")
        entry = await store.get("n")
        assert entry is not None
        async with asyncio.timeout(10):
            while await told(second, "GET", "tn") != b"1":
                await asyncio.sleep(0.01)
        # By hand, so that the connections to the first one stay; a failover would cut them.
        await told(second, "REPLICAOF", "NO", "ONE")
        await told(sentinel, "SENTINEL", "REMOVE", MASTER, password=None)
        new = ("127.0.0.1", str(second.port), "1")
        await told(sentinel, "SENTINEL", "MONITOR", MASTER, *new, password=None)
        await told(sentinel, "SENTINEL", "SET", MASTER, "auth-pass", PASSWORD, password=None)
        await told(first, "REPLICAOF", "127.0.0.1", str(second.port))
        assert await store.replace("n", b"2", revision=entry.revision) is True
        assert await told(second, "GET", "tn") == b"2"
        await store.put("n", b"3")
        assert await told(second, "GET", "tn") == b"3"


@pytest.mark.slow  # Sentinel looks at a replica every ten seconds.
async def test_a_failover_is_followed(tmp_path: Path) -> None:
    async with watched(tmp_path) as (store, _, second, sentinel):
        await store.put("before", b"1")
        async with asyncio.timeout(30):
            while await told(second, "GET", "tbefore") != b"1":
                await asyncio.sleep(0.01)
            while True:
                # Refused until Sentinel has heard of the replica.
                with contextlib.suppress(Exception):
                    await told(sentinel, "SENTINEL", "FAILOVER", MASTER, password=None)
                    break
                await asyncio.sleep(0.1)
            while await told(second, "GET", "tafter") != b"2":
                with contextlib.suppress(StoreError):
                    await store.put("after", b"2")
                await asyncio.sleep(0.02)
        entry = await store.get("before")
        assert entry is not None
        assert entry.value == b"1"


async def test_a_master_that_nobody_knows_is_a_store_error(tmp_path: Path) -> None:
    with redis_server(tmp_path) as master, redis_sentinel(tmp_path, master) as sentinel:
        settings = StoreSettings("redis-sentinel", (f"{sentinel.address}/other",))
        store = redis_sentinel_store(settings, table="t")
        with pytest.raises(StoreError) as caught:
            await store.check()
        assert "other" in caught.value.detail
        await store.aclose()


@pytest.mark.parametrize(
    "nodes",
    [
        (),
        ("",),
        ("a:1",),
        ("a:1/",),
        ("a/m",),
        (":1/m",),
        ("a:x/m",),
        ("a:1/m", "b:2/n"),
        ("a:²/m",),
    ],
)
def test_nodes_of_another_form_are_refused(nodes: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError):
        redis_sentinel_store(StoreSettings("redis-sentinel", nodes), table="t")


@pytest.mark.parametrize("nodes", [("a:1/m",), ("a:1/m", "b:2/m"), ("[::1]:1/m",), ("a:1/m/n",)])
async def test_nodes_are_host_port_and_master(nodes: tuple[str, ...]) -> None:
    store = redis_sentinel_store(StoreSettings("redis-sentinel", nodes), table="t")
    await store.aclose()
