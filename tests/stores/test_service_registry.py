import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from ocgate.core.errors import StoreError
from ocgate.stores.nats_connection import NATSConnection
from ocgate.stores.service_registry import Registration, ServiceRegistry, service_registry
from ocgate.stores.settings import StoreSettings
from tests.support.stores import PASSWORD, USER, Running

KEY = "ONSXE5TJMNSS24TFM5UXG5DSPFPWK5JON5YGK3TDNRXXKZBOMFYGSLTTORXXEZKAOVZWK4RNNFSEAMJOGI======"


@pytest.fixture
async def registry(running: Running) -> AsyncIterator[ServiceRegistry]:
    nodes = running("nats-js-kv").settings.nodes
    found = service_registry(
        StoreSettings("x", registry=nodes, registry_username=USER, registry_password=PASSWORD)
    )
    yield found
    await found.aclose()


@pytest.fixture
async def bucket(running: Running, registry: ServiceRegistry) -> AsyncIterator[Any]:
    """The registry's bucket as another program sees it."""
    await registry.addresses("nobody")
    nodes = running("nats-js-kv").settings.nodes
    connection = NATSConnection(nodes, username=USER, password=PASSWORD)
    jetstream = cast("Any", await connection.client()).jetstream()
    yield await jetstream.key_value("service-registry")
    await connection.aclose()


def test_a_registration_is_a_go_micro_service() -> None:
    made = Registration("eu.opencloud.api.store", "127.0.0.1:9460", "1.2", "user-id")
    assert made.name == "eu.opencloud.api.store@user-id@1.2"
    assert made.dump() == (
        b'{"name":"eu.opencloud.api.store","version":"1.2","metadata":null,"endpoints":[],'
        b'"nodes":[{"metadata":{"protocol":"grpc","registry":"nats-js-kv","server":"grpc",'
        b'"transport":"grpc"},"id":"eu.opencloud.api.store-user-id","address":"127.0.0.1:9460"}]}'
    )


def test_every_process_has_its_own_entry() -> None:
    assert Registration("s", "a:1").name != Registration("s", "a:1").name


async def test_an_entry_is_where_the_family_looks(registry: ServiceRegistry, bucket: Any) -> None:
    made = Registration("eu.opencloud.api.store", "127.0.0.1:9460", "1.2", "user-id")
    await registry.register(made)
    assert await bucket.keys() == [KEY]
    envelope = json.loads((await bucket.get(KEY)).value)
    assert envelope["key"] == made.name
    assert envelope["metadata"] is None
    status = await bucket.status()
    assert status.ttl == 30
    assert status.stream_info.config.storage == "memory"
    assert await registry.addresses("eu.opencloud.api.store") == ["127.0.0.1:9460"]
    await registry.deregister(made)
    assert await registry.addresses("eu.opencloud.api.store") == []
    await registry.deregister(made)


async def test_all_processes_of_exactly_that_service_are_found(registry: ServiceRegistry) -> None:
    made = [
        Registration("web", "b:2"),
        Registration("web", "a:1", "another version"),
        Registration("webfinger", "c:3"),
        Registration("my.web", "d:4"),
    ]
    for registration in made:
        await registry.register(registration)
    assert await registry.addresses("web") == ["a:1", "b:2"]
    assert await registry.addresses("we") == []
    for registration in made:
        await registry.deregister(registration)


@pytest.mark.parametrize("value", [b"", b"{}", b'{"nodes":[{}]}', b'{"nodes":3}', b"[1]"])
async def test_what_is_no_service_is_an_error(
    registry: ServiceRegistry, running: Running, value: bytes
) -> None:
    store = registry._store
    await store.put("broken@id@1", value)
    with pytest.raises(StoreError) as caught:
        await registry.addresses("broken")
    assert "service registry" in caught.value.detail
    await store.put("broken@id@1", b'{"nodes":null}')
    assert await registry.addresses("broken") == []
    await store.delete("broken@id@1")
