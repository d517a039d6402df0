"""A backend: one or several addresses that serve the same thing, asked in turns."""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Final

from ocgate.core.errors import BadGateway, ConfigError, OcgateError, Overloaded
from ocgate.upstream.connection import Connection
from ocgate.upstream.origin import Origin
from ocgate.upstream.pool import Pool
from ocgate.upstream.settings import Limits, Timeouts

DOWN_SECONDS: Final = 5.0
"""How long an address that could not be reached is asked last."""


class Upstream:
    """Round robin over the addresses of one backend.

    An address that cannot be reached is passed over for `DOWN_SECONDS` seconds; when all are
    down, all are tried. Nothing is asked on the side: the requests themselves tell.
    """

    def __init__(
        self,
        origins: Iterable[Origin],
        *,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.pools = [Pool(o, timeouts=timeouts, limits=limits, tls=tls) for o in origins]
        if not self.pools:
            raise ConfigError("a backend needs at least one address")
        self._down_until = dict.fromkeys(self.pools, 0.0)
        self._next = 0

    def take(self, *, repeatable: bool) -> Connection | None:
        """Return an idle connection to the address whose turn it is, or None."""
        if len(self.pools) == 1:
            return self.pools[0].take(repeatable=repeatable)
        if any(self._down_until.values()):
            return None  # `acquire` knows who is up
        self._next = (self._next + 1) % len(self.pools)
        connection = self.pools[self._next].take(repeatable=repeatable)
        if connection is None:
            self._next -= 1  # `acquire` follows, and it is still this one's turn
        return connection

    async def acquire(self, *, repeatable: bool) -> Connection:
        """Return a connection to the first address that can be reached.

        Raises what the last address tried said: Overloaded, BadGateway or GatewayTimeout.
        """
        failure: OcgateError = BadGateway("the backend cannot be reached")
        for pool in self._in_turn():
            try:
                connection = await pool.acquire(repeatable=repeatable)
            except OcgateError as error:
                failure = error
                if not isinstance(error, Overloaded):
                    self._down_until[pool] = asyncio.get_running_loop().time() + DOWN_SECONDS
            else:
                self._down_until[pool] = 0.0
                return connection
        raise failure

    def close(self) -> None:
        """Close all connections that serve no request."""
        for pool in self.pools:
            pool.close()

    def _in_turn(self) -> list[Pool]:
        self._next = (self._next + 1) % len(self.pools)
        turn = self.pools[self._next :] + self.pools[: self._next]
        now = asyncio.get_running_loop().time()
        return sorted(turn, key=lambda pool: self._down_until[pool] > now)
