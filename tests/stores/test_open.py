import sys
from pathlib import Path

import pytest

from ocgate.config.settings_credentials import STORE_KINDS
from ocgate.core.errors import ConfigError
from ocgate.stores.open import KINDS, open_store
from ocgate.stores.settings import StoreSettings

NODES = {"redis-sentinel": ("127.0.0.1:1/m",)}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_store_is_made_without_anything_there(kind: str, tmp_path: Path) -> None:
    settings = StoreSettings(kind, NODES.get(kind, ()), path=str(tmp_path / "store.db"))
    store = open_store(settings, database="proxy", table="signing-keys")
    assert store.shared
    assert list(tmp_path.iterdir()) == []
    await store.aclose()


def test_memory_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigError, match="private to one process"):
        open_store(StoreSettings("memory"), database="d", table="t")


@pytest.mark.parametrize("kind", ["", "etcd", "SQLite", "nats-js"])
def test_an_unknown_kind_is_refused_with_the_known_ones(kind: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(StoreSettings(kind), database="d", table="t")
    assert all(known in str(caught.value) for known in KINDS)


def test_settings_that_never_work_are_refused() -> None:
    for settings in (
        StoreSettings("sqlite"),
        StoreSettings("sqlite", path="p", timeout=0),
        StoreSettings("redis", ("a:1", "b:2")),
        StoreSettings("redis-sentinel"),
        StoreSettings("ocisstoreservice", ("a:1", "b:2")),
    ):
        with pytest.raises(ConfigError):
            open_store(settings, database="d", table="t")


def test_without_grpc_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("ocgate.stores.store_service")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grpc", None)
    with pytest.raises(ConfigError, match=r"pip install ocgate\[store-service\]"):
        open_store(StoreSettings("opencloudstoreservice"), database="d", table="t")


def test_the_configuration_knows_the_same_kinds() -> None:
    assert STORE_KINDS == KINDS
