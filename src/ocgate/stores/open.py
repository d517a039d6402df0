"""From settings to a store."""

from datetime import timedelta

from ocgate.core.errors import ConfigError
from ocgate.stores.base import Store
from ocgate.stores.nats_js_kv import nats_js_kv_store
from ocgate.stores.redis import redis_store
from ocgate.stores.redis_sentinel import redis_sentinel_store
from ocgate.stores.settings import StoreSettings
from ocgate.stores.sqlite import SQLiteStore
from ocgate.stores.sqlite_file import SQLiteFile


def open_store(
    settings: StoreSettings, *, database: str, table: str, ttl: timedelta | None = None
) -> Store:
    """Make the store for one table. Nothing is opened or sent: the first call does that.

    So a backend that is down does not stop the start, and heals by itself. `ttl` is how long
    an entry lives that is written without a time to live of its own; NATS makes a missing
    bucket with it, for all its tables. Raises ConfigError for settings that can never work.
    """
    if settings.timeout <= 0:
        raise ConfigError("the time-out of a store is more than 0 seconds")
    match settings.kind:
        case "sqlite":
            if not settings.path:
                raise ConfigError("the sqlite store needs the path of its file")
            file = SQLiteFile(settings.path, timeout=settings.timeout)
            return SQLiteStore(file, database=database, table=table, ttl=ttl)
        case "nats-js-kv":
            return nats_js_kv_store(settings, database=database, table=table, ttl=ttl)
        case "redis":
            return redis_store(settings, table=table, ttl=ttl)
        case "redis-sentinel":
            return redis_sentinel_store(settings, table=table, ttl=ttl)
        case "opencloudstoreservice" | "ocisstoreservice":
            return _store_service(settings, database, table)
        case "memory":
            raise ConfigError(
                "the memory store is refused: it is private to one process, so a key that one"
                " worker or service makes is unknown to the others, and lost at a restart"
            )
        case _:
            known = ", ".join(KINDS)
            raise ConfigError(f"there is no store {settings.kind!r}; known are: {known}")


KINDS = (
    "sqlite",
    "nats-js-kv",
    "redis-sentinel",
    "redis",
    "opencloudstoreservice",
    "ocisstoreservice",
)


def _store_service(settings: StoreSettings, database: str, table: str) -> Store:
    try:
        from ocgate.stores.store_service import store_service_store  # noqa: PLC0415
    except ModuleNotFoundError as exc:
        raise ConfigError(
            f"the {settings.kind} store needs gRPC: pip install ocgate[store-service]"
        ) from exc
    return store_service_store(settings, database=database, table=table)
