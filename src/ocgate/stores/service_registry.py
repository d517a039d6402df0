"""The family's service registry: which addresses a service answers at.

go-micro services write themselves into a NATS JetStream KV bucket in memory and again before
30 seconds are over; who stops refreshing is forgotten. Read in OpenCloud's
`pkg/natsjsregistry/registry.go` and `pkg/registry/expiry.go`: database and table are
`service-registry`, the name is `<service>@<server id>@<version>`, the value go-micro's
`registry.Service` as JSON.
"""

import json
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ocgate.core.errors import StoreError
from ocgate.stores.base import Store
from ocgate.stores.nats_js_kv import nats_js_kv_store
from ocgate.stores.settings import StoreSettings

REGISTER_INTERVAL = timedelta(seconds=25)
REGISTER_TTL = timedelta(seconds=30)

_PLACE = "service-registry"


@dataclass(frozen=True, slots=True)
class Registration:
    """One process that serves `service` at `address` (`host:port`) over gRPC."""

    service: str
    address: str
    version: str = "latest"
    server_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def name(self) -> str:
        """The name of the entry; every process of a service has its own."""
        return f"{self.service}@{self.server_id}@{self.version}"

    def dump(self) -> bytes:
        """Return the entry's value, as Go writes a `registry.Service`."""
        node = {
            "metadata": {
                "protocol": "grpc",
                "registry": "nats-js-kv",
                "server": "grpc",
                "transport": "grpc",
            },
            "id": f"{self.service}-{self.server_id}",
            "address": self.address,
        }
        service = {
            "name": self.service,
            "version": self.version,
            "metadata": None,
            "endpoints": [],
            "nodes": [node],
        }
        return json.dumps(service, separators=(",", ":")).encode()


class ServiceRegistry:
    """Looks services up and enters our own. Every method may raise StoreError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def addresses(self, service: str) -> list[str]:
        """Return the `host:port` of every process of that service, sorted."""
        found = set[str]()
        async for name in self._store.names():
            # With the delimiter, or `web` would find `webfinger`.
            if name.startswith(f"{service}@"):
                entry = await self._store.get(name)
                if entry is not None:
                    found.update(_addresses(entry.value))
        return sorted(found)

    async def register(self, registration: Registration) -> None:
        """Enter a process, or refresh its entry: due every `REGISTER_INTERVAL`."""
        await self._store.put(registration.name, registration.dump(), ttl=REGISTER_TTL)

    async def deregister(self, registration: Registration) -> None:
        """Take a process out."""
        await self._store.delete(registration.name)

    async def aclose(self) -> None:
        """Close the connection. May be called twice."""
        await self._store.aclose()


def service_registry(settings: StoreSettings) -> ServiceRegistry:
    """Make the registry at the nodes of `settings.registry`; nothing is sent yet."""
    place = StoreSettings(
        "nats-js-kv",
        settings.registry,
        settings.registry_username,
        settings.registry_password,
        timeout=settings.timeout,
    )
    return ServiceRegistry(
        nats_js_kv_store(place, database=_PLACE, table=_PLACE, ttl=REGISTER_TTL, in_memory=True)
    )


def _addresses(value: bytes) -> list[str]:
    try:
        service: Any = json.loads(value)
        return [str(node["address"]) for node in service["nodes"] or ()]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise StoreError("The store did not answer.", detail=f"service registry: {exc!r}") from exc
