from datetime import timedelta

from ocgate.stores.memory import MemoryStore


async def test_an_entry_lives_until_its_ttl_ends() -> None:
    seconds = 0.0
    store = MemoryStore(now=lambda: seconds)
    await store.put("a", b"1", ttl=timedelta(seconds=5))
    await store.put("b", b"2")
    seconds = 4.9
    assert (entry := await store.get("a")) is not None
    assert entry.value == b"1"
    seconds = 5.0
    assert await store.get("a") is None
    assert [name async for name in store.names()] == ["b"]
    assert not await store.delete("a")
    assert await store.create("a", b"3")


async def test_create_and_replace_compare() -> None:
    store = MemoryStore()
    assert not await store.replace("a", b"0", revision="1")
    assert await store.create("a", b"1")
    assert not await store.create("a", b"2")
    first = await store.get("a")
    assert first is not None
    assert await store.replace("a", b"2", revision=first.revision)
    assert not await store.replace("a", b"3", revision=first.revision)
    second = await store.get("a")
    assert second is not None
    assert second.value == b"2"
    assert await store.delete("a")
    assert not await store.replace("a", b"3", revision=second.revision)


async def test_memory_is_not_shared_unless_a_test_says_so() -> None:
    store = MemoryStore()
    assert not store.shared
    assert store.expires
    assert MemoryStore(shared=True).shared
    await store.check()
    await store.aclose()
    await store.aclose()
