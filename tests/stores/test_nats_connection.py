import asyncio
from pathlib import Path

import pytest
from nats.errors import Error

from ocgate.stores.nats_connection import NATSConnection
from tests.support.processes import reserved_port
from tests.support.stores import PASSWORD, USER, Running, nats_server


async def test_one_connection_serves_all_calls(running: Running) -> None:
    node = running("nats-js-kv").settings.nodes[0]
    connection = NATSConnection([node], username=USER, password=PASSWORD)
    clients = await asyncio.gather(*(connection.client() for _ in range(10)))
    assert len(set(clients)) == 1
    await connection.aclose()
    await connection.aclose()
    again = await connection.client()
    assert again not in clients
    await connection.aclose()


async def test_another_node_stands_in_for_one_that_is_down(running: Running) -> None:
    node = running("nats-js-kv").settings.nodes[0]
    with reserved_port() as silent:
        nodes = [f"127.0.0.1:{silent}", f"nats://{node}"]
        for _ in range(4):
            connection = NATSConnection(nodes, username=USER, password=PASSWORD)
            assert (await connection.client()).is_connected
            await connection.aclose()
        with pytest.raises(Error):
            await NATSConnection(nodes[:1]).client()


async def test_nothing_goes_on_in_the_background(tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    with nats_server(tmp_path, login=False) as server:
        connection = NATSConnection([server.address])
        client = await connection.client()
        server.stop()
        async with asyncio.timeout(10):
            while client.is_connected:
                await asyncio.sleep(0.01)
        with pytest.raises((Error, OSError)):
            await connection.client()
        async with asyncio.timeout(10):
            while asyncio.all_tasks() != before:
                await asyncio.sleep(0.01)
        server.start()
        assert (await connection.client()).is_connected
        await connection.aclose()
    async with asyncio.timeout(10):
        while asyncio.all_tasks() != before:
            await asyncio.sleep(0.01)
