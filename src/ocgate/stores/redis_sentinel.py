"""A store in the Redis whose master the Sentinels know; keys and values as in `redis.py`.

A node is `<host>:<port>/<name of the master>`, one for each Sentinel, as the family writes
them. User name and password are those of the master; the Sentinels are asked without.
"""

from datetime import timedelta
from typing import Any, cast

from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

from ocgate.core.errors import ConfigError
from ocgate.stores.redis import RedisStore, connection_options
from ocgate.stores.settings import StoreSettings


class RedisSentinelStore(RedisStore):
    """A `RedisStore` that follows the master; the Sentinels' connections are closed with it."""

    def __init__(
        self,
        sentinel: Any,
        *,
        master: str,
        table: str,
        ttl: timedelta | None = None,
        timeout: float = 1.0,
    ) -> None:
        super().__init__(sentinel.master_for(master), table=table, ttl=ttl, timeout=timeout)
        self._sentinel = sentinel

    async def aclose(self) -> None:
        """Close the connections. May be called twice."""
        await super().aclose()
        await self._sentinel.aclose()


def redis_sentinel_store(
    settings: StoreSettings, *, table: str, ttl: timedelta | None = None
) -> RedisSentinelStore:
    """Make the store; nothing is sent yet. Raises ConfigError for a node of another form."""
    nodes = [_sentinel_node(node) for node in settings.nodes]
    if not nodes:
        raise ConfigError("redis-sentinel needs its nodes: <host>:<port>/<name of the master>")
    masters = {master for _, _, master in nodes}
    if len(masters) > 1:
        raise ConfigError(f"the nodes of redis-sentinel name several masters: {sorted(masters)}")
    # They are asked one after the other, and the master after them, all within one time-out.
    share = settings.timeout / (len(nodes) + 1)
    sentinel = cast("Any", Sentinel)(
        [(host, port) for host, port, _ in nodes],
        sentinel_kwargs={
            "socket_timeout": share,
            "socket_connect_timeout": share,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        },
        **connection_options(settings),
    )
    return RedisSentinelStore(
        sentinel, master=masters.pop(), table=table, ttl=ttl, timeout=settings.timeout
    )


def _sentinel_node(node: str) -> tuple[str, int, str]:
    address, _, master = node.partition("/")
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and port.isascii() and port.isdecimal() and master):
        raise ConfigError(f"{node!r} is not <host>:<port>/<name of the master>")
    return host, int(port), master
