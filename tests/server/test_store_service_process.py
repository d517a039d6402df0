import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from ocgate.core.errors import ConfigError
from ocgate.server.store_service_process import StoreServiceOptions, run_store_service
from ocgate.stores.open import open_store
from ocgate.stores.service_registry import ServiceRegistry, service_registry
from ocgate.stores.settings import StoreSettings
from tests.support.stores import nats_server, store_service

NAMES = ("eu.opencloud.api.store", "com.owncloud.api.store")


@contextlib.asynccontextmanager
async def registry_at(address: str) -> AsyncGenerator[ServiceRegistry]:
    registry = service_registry(StoreSettings("x", registry=(address,), timeout=10))
    yield registry
    await registry.aclose()


async def until_registered(registry: ServiceRegistry, name: str, addresses: list[str]) -> None:
    async with asyncio.timeout(20):
        while await registry.addresses(name) != addresses:
            await asyncio.sleep(0.02)


async def test_it_is_in_the_registry_from_the_start_to_sigterm(tmp_path: Path) -> None:
    with nats_server(tmp_path, login=False) as nats:
        async with registry_at(nats.address) as registry:
            with store_service(tmp_path, "--registry", nats.address) as service:
                for name in NAMES:
                    await until_registered(registry, name, [service.address])
                assert service.stop() == 0
                for name in NAMES:
                    assert await registry.addresses(name) == []


async def test_it_says_the_name_and_the_address_that_it_was_told(tmp_path: Path) -> None:
    options = ("--service-name", "my.store", "--advertise", "store.example:99")
    with nats_server(tmp_path, login=False) as nats:
        async with registry_at(nats.address) as registry:
            with store_service(tmp_path, "--registry", nats.address, *options):
                await until_registered(registry, "my.store", ["store.example:99"])
                assert await registry.addresses(NAMES[0]) == []


async def test_a_registry_that_is_down_at_the_start_is_joined_later(tmp_path: Path) -> None:
    with (
        nats_server(tmp_path, login=False, start=False) as nats,
        store_service(tmp_path, "--registry", nats.address) as service,
    ):
        direct = StoreSettings("ocisstoreservice", (service.address,), timeout=10)
        store = open_store(direct, database="d", table="t")
        await store.put("n", b"v")
        await store.aclose()
        nats.start()
        async with registry_at(nats.address) as registry:
            await until_registered(registry, NAMES[1], [service.address])
        assert service.stop() == 0


async def test_its_file_is_a_sqlite_store(tmp_path: Path) -> None:
    with store_service(tmp_path) as service:
        settings = StoreSettings("ocisstoreservice", (service.address,), timeout=10)
        store = open_store(settings, database="proxy", table="signing-keys")
        await store.put("id", b"key")
        await store.aclose()
        assert service.stop() == 0
        (path,) = tmp_path.glob("store-*.db")
    file = StoreSettings("sqlite", path=str(path))
    store = open_store(file, database="proxy", table="signing-keys")
    entry = await store.get("id")
    assert entry is not None
    assert entry.value == b"key"
    await store.aclose()


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", ":-1"])
async def test_an_address_that_cannot_be_used_is_refused(tmp_path: Path, address: str) -> None:
    options = StoreServiceOptions(tmp_path / "store.db", address)
    with pytest.raises(ConfigError):
        await run_store_service(options, None, ready=pytest.fail)


async def test_an_address_that_is_taken_is_refused(tmp_path: Path) -> None:
    with store_service(tmp_path) as service:
        options = StoreServiceOptions(tmp_path / "other.db", service.address)
        with pytest.raises(ConfigError, match="cannot listen"):
            await run_store_service(options, None, ready=pytest.fail)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", ":0"])
async def test_an_address_that_tells_others_nothing_is_refused(
    tmp_path: Path, address: str
) -> None:
    options = StoreServiceOptions(tmp_path / "store.db", address)
    async with registry_at("127.0.0.1:1") as registry:
        with pytest.raises(ConfigError, match="--advertise"):
            await run_store_service(options, registry, ready=pytest.fail)
