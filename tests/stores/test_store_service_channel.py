import asyncio
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from ocgate.core.errors import StoreError
from ocgate.stores import store_service_pb2 as pb
from ocgate.stores.service_registry import Registration, service_registry
from ocgate.stores.settings import StoreSettings
from ocgate.stores.store_service_channel import StoreServiceChannel
from tests.support.family_store import family_store
from tests.support.processes import reserved_port
from tests.support.stores import nats_server

READ = pb.ReadRequest(key="n")


async def code_of(channel: StoreServiceChannel) -> StatusCode:
    with pytest.raises(AioRpcError) as caught:
        await channel.call("Read", READ, pb.ReadResponse)
    return caught.value.code()


async def test_a_service_is_looked_up_by_its_name_at_each_new_connection(tmp_path: Path) -> None:
    with nats_server(tmp_path, login=False) as nats:
        registry = service_registry(StoreSettings("x", registry=(nats.address,)))
        channel = StoreServiceChannel("s", package="p", registry=registry)
        with pytest.raises(StoreError) as caught:
            await channel.call("Read", READ, pb.ReadResponse)
        assert "no s in the service registry" in caught.value.detail
        for _ in range(2):
            async with family_store() as (family, address):
                entered = Registration("s", address)
                await registry.register(entered)
                async with asyncio.timeout(10):
                    while await code_of(channel) is StatusCode.UNAVAILABLE:
                        pass
                assert set(family.methods) == {"/p.Store/Read"}
                await registry.deregister(entered)
        await channel.aclose()
        await channel.aclose()


async def test_a_connection_that_failed_is_tried_again_at_once() -> None:
    with reserved_port() as port:
        channel = StoreServiceChannel(f"127.0.0.1:{port}", package="p", registry=None)
        for _ in range(3):
            assert await code_of(channel) is StatusCode.UNAVAILABLE
        await channel.aclose()


async def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with family_store() as (_, address):
        channel = StoreServiceChannel(address, package="p", registry=None)
        assert await code_of(channel) is StatusCode.NOT_FOUND
        await channel.aclose()
