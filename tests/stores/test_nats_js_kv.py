import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

import pytest

from ocgate.core.errors import ConfigError, StoreError
from ocgate.stores.nats_connection import NATSConnection
from ocgate.stores.nats_js_kv import nats_js_kv_store
from ocgate.stores.settings import StoreSettings
from tests.support.stores import PASSWORD, USER, Running

USER_ID = "4c510ada-c86b-4815-8820-42cdf82c3d51"
KEY = "ONUWO3TJNZTS223FPFZV6NDDGUYTAYLEMEWWGOBWMIWTIOBRGUWTQOBSGAWTIMTDMRTDQMTDGNSDKMI="
VALUE = b'{"key":"4c510ada-c86b-4815-8820-42cdf82c3d51","data":"YWJj","metadata":null}'
HOUR = timedelta(hours=1)


@pytest.fixture
def settings(running: Running) -> StoreSettings:
    return running("nats-js-kv").settings


@pytest.fixture
async def jetstream(settings: StoreSettings) -> AsyncIterator[Any]:
    """The server as another program sees it."""
    connection = NATSConnection(settings.nodes, username=USER, password=PASSWORD)
    yield cast("Any", await connection.client()).jetstream()
    await connection.aclose()


async def test_a_signing_key_is_where_the_family_keeps_it(
    settings: StoreSettings, jetstream: Any
) -> None:
    database = uuid4().hex
    store = nats_js_kv_store(settings, database=database, table="signing-keys", ttl=HOUR)
    await store.put(USER_ID, b"abc", ttl=HOUR)
    bucket = await jetstream.key_value(database)
    assert (await bucket.get(KEY)).value == VALUE
    assert await bucket.keys() == [KEY]
    # As the family deletes, and writes.
    await bucket.delete(KEY)
    assert await store.get(USER_ID) is None
    await bucket.put(KEY, VALUE.replace(b"YWJj", b"eHl6"))
    entry = await store.get(USER_ID)
    assert entry is not None
    assert entry.value == b"xyz"
    assert await store.delete(USER_ID) is True
    assert await bucket.history(KEY)
    assert (await bucket.history(KEY))[-1].operation == "DEL"
    await store.aclose()


async def test_an_end_before_that_of_the_bucket_is_in_the_metadata(
    settings: StoreSettings, jetstream: Any
) -> None:
    database = uuid4().hex
    store = nats_js_kv_store(settings, database=database, table="t", ttl=HOUR)
    bucket_values = dict[str, Any]()
    for name, ttl in (("shorter", HOUR / 2), ("same", HOUR), ("longer", 2 * HOUR), ("none", None)):
        await store.put(name, b"v", ttl=ttl)
    bucket = await jetstream.key_value(database)
    for key in await bucket.keys():
        found = json.loads((await bucket.get(key)).value)
        bucket_values[found["key"]] = found["metadata"]
    assert list(bucket_values.pop("shorter")) == ["ocgate-expires-at"]
    assert bucket_values == {"same": None, "longer": None, "none": None}
    await store.aclose()


async def test_the_time_to_live_of_the_bucket_counts(settings: StoreSettings) -> None:
    short = timedelta(seconds=0.5)
    store = nats_js_kv_store(settings, database=uuid4().hex, table="t", ttl=short)
    await store.put("n", b"v")
    async with asyncio.timeout(10):
        while await store.get("n") is not None:
            await asyncio.sleep(0.02)
    assert await store.create("n", b"again") is True
    await store.aclose()


async def test_what_is_no_envelope_is_an_error_and_not_a_missing_entry(
    settings: StoreSettings, jetstream: Any
) -> None:
    database = uuid4().hex
    store = nats_js_kv_store(settings, database=database, table="signing-keys")
    await store.check()
    bucket = await jetstream.key_value(database)
    await bucket.put(KEY, b"broken")
    with pytest.raises(StoreError) as caught:
        await store.get(USER_ID)
    assert "not an envelope" in caught.value.detail or "Expecting value" in caught.value.detail
    await store.put(USER_ID, b"mended")
    assert await store.get(USER_ID) is not None
    await store.aclose()


async def test_the_keys_of_others_in_the_bucket_are_not_listed(
    settings: StoreSettings, jetstream: Any
) -> None:
    database = uuid4().hex
    store = nats_js_kv_store(settings, database=database, table="t")
    await store.put("mine", b"v")
    bucket = await jetstream.key_value(database)
    await bucket.put("plain", b"v")
    await bucket.put(KEY, VALUE)
    assert [name async for name in store.names()] == ["mine"]
    await store.aclose()


@pytest.mark.parametrize("database", ["", "a.b", "a b", "ä", "a\n", "*"])
def test_a_database_that_cannot_be_a_bucket_is_refused(database: str) -> None:
    with pytest.raises(ConfigError):
        nats_js_kv_store(StoreSettings("nats-js-kv"), database=database, table="t")
