from typing import Any

import pytest

from ocgate.core.errors import ConfigError, StoreError
from ocgate.stores.settings import StoreSettings
from ocgate.stores.store_service import store_service_store
from tests.support.family_store import family_store


def store_at(address: str, kind: str = "opencloudstoreservice") -> Any:
    settings = StoreSettings(kind, (address,), timeout=10)
    return store_service_store(settings, database="proxy", table="signing-keys")


async def test_the_familys_service_is_used_as_the_family_does() -> None:
    async with family_store() as (family, address):
        store = store_at(address)
        assert await store.get("id") is None
        await store.put("id", b"key")
        assert family.records == {("proxy", "signing-keys", "id"): b"key"}
        entry = await store.get("id")
        assert entry.value == b"key"
        assert await store.delete("id") is True
        assert await store.delete("id") is False
        await store.check()
        await store.aclose()


@pytest.mark.parametrize(
    ("kind", "package"),
    [
        ("opencloudstoreservice", "opencloud.services.store.v0"),
        ("ocisstoreservice", "ocis.services.store.v0"),
    ],
)
async def test_each_family_has_its_package(kind: str, package: str) -> None:
    async with family_store() as (family, address):
        store = store_at(address, kind)
        await store.get("n")
        await store.put("n", b"")
        assert family.methods == [f"/{package}.Store/Read", f"/{package}.Store/Write"]
        await store.aclose()


async def test_the_familys_service_gets_conditional_writes_as_well_as_it_can() -> None:
    async with family_store() as (family, address):
        store = store_at(address)
        assert await store.create("n", b"1") is True
        assert await store.create("n", b"2") is False
        entry = await store.get("n")
        assert await store.replace("n", b"3", revision=entry.revision) is True
        assert await store.replace("n", b"4", revision=entry.revision) is False
        assert family.records == {("proxy", "signing-keys", "n"): b"3"}
        await store.aclose()


async def test_who_was_overwritten_at_once_did_not_win() -> None:
    async with family_store() as (family, address):
        store = store_at(address)
        family.overwrites_with = b"of another"
        assert await store.create("n", b"mine") is False
        entry = await store.get("n")
        assert entry.value == b"of another"
        assert await store.replace("n", b"mine", revision=entry.revision) is False
        await store.aclose()


async def test_the_familys_service_cannot_list() -> None:
    async with family_store() as (_, address):
        store = store_at(address)
        await store.put("n", b"v")
        with pytest.raises(StoreError, match="cannot list"):
            [name async for name in store.names()]
        await store.aclose()


def test_one_node_is_enough() -> None:
    with pytest.raises(ConfigError):
        store_service_store(
            StoreSettings("ocisstoreservice", ("a:1", "b:1")), database="d", table="t"
        )


async def test_the_reason_of_a_service_that_is_down_is_one_line() -> None:
    async with family_store() as (_, address):
        pass
    store = store_at(address)
    with pytest.raises(StoreError) as caught:
        await store.get("n")
    assert caught.value.detail.startswith("store service: ")
    assert "\n" not in caught.value.detail
    assert address in caught.value.detail
    await store.aclose()
