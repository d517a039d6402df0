"""One connection to NATS, made by the call that needs it."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from nats.aio.client import Client

log = logging.getLogger("ocgate.stores")


class NATSConnection:
    """Connects when asked and no connection stands, to whichever of the nodes answers.

    There is no reconnecting in the background: a server that is down costs nothing until the
    next call, which fails at once or heals. Nothing is buffered for later either, so a write
    that was reported as failed is not sent after all when the server is back.
    """

    def __init__(
        self, nodes: Sequence[str], *, username: str = "", password: str = "", timeout: float = 1.0
    ) -> None:
        self._nodes = list(nodes)
        self._username = username
        self._password = password
        self._timeout = timeout
        self._client: Client | None = None
        self._lock = asyncio.Lock()

    async def client(self) -> Client:
        """Return a connected client; raises nats.errors.Error or OSError."""
        async with self._lock:
            if self._client is None or not self._client.is_connected:
                await self.aclose()
                self._client = await self._connect()
            return self._client

    async def aclose(self) -> None:
        """Close the connection; the next call makes another one."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connect(self) -> Client:
        client = Client()
        options: dict[str, Any] = {
            "servers": self._nodes,
            "name": "ocgate",
            "user": self._username or None,
            "password": self._password or None,
            "allow_reconnect": False,
            # Each node is tried, in random order, and one that is silent leaves time for others.
            "max_reconnect_attempts": 1,
            "reconnect_time_wait": 0,
            "connect_timeout": self._timeout / len(self._nodes),
            # A peer that vanished without a word is noticed after two unanswered pings.
            "ping_interval": 5,
            "error_cb": _noted,
        }
        try:
            await client.connect(**options)
        except BaseException:
            with suppress(Exception):
                await client.close()
            raise
        return client


async def _noted(error: Exception) -> None:
    # The call that met the error raises it; the library's own logging would say it once more.
    log.debug("nats: %s", error)
