"""A store in the family's deprecated store service, over gRPC.

The service keeps entries until they are deleted, so a time to live is not honoured.

The wire knows no conditional write. `ocgate store-service` takes the condition as metadata of
Write (`IF_REVISION`) and tells an entry's revision in the trailing metadata of Read
(`REVISION`); with it `create` and `replace` are as strict as anywhere. The family's service
ignores both. There the revision is a hash of the value, and a conditional write is read,
write, read again: of two writers in the same milliseconds both may be told that they won.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta

import grpc
from grpc.aio import AioRpcError

from ocgate.core.errors import ConfigError, StoreError
from ocgate.stores import store_service_pb2 as pb
from ocgate.stores.base import Entry
from ocgate.stores.calls import answering, encoded
from ocgate.stores.service_registry import service_registry
from ocgate.stores.settings import StoreSettings
from ocgate.stores.store_service_channel import StoreServiceChannel, texts

REVISION = "ocgate-revision"
"""Trailing metadata of Read: the entry's revision, or `NO_ENTRY`."""

IF_REVISION = "ocgate-if-revision"
"""Metadata of Write: write only if the entry has this revision, or is missing (`NO_ENTRY`)."""

NO_ENTRY = "none"

PACKAGES = {
    "opencloudstoreservice": "opencloud.services.store.v0",
    "ocisstoreservice": "ocis.services.store.v0",
}
SERVICES = {
    "opencloudstoreservice": "eu.opencloud.api.store",
    "ocisstoreservice": "com.owncloud.api.store",
}
"""The node of each kind where the operator names none."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What Read told. `revision` is None where the service has no revisions."""

    value: bytes | None
    revision: str | None


class StoreServiceStore:
    """One table of the store service. See the module docstring."""

    shared = True
    expires = False

    def __init__(
        self, channel: StoreServiceChannel, *, database: str, table: str, timeout: float = 1.0
    ) -> None:
        self._channel = channel
        self._database = database
        self._table = table
        self._timeout = timeout

    async def get(self, name: str, /) -> Entry | None:
        """Return the entry, or None if there is none."""
        encoded(name)
        async with self._answering():
            found = await self._read(name)
        if found.value is None:
            return None
        return Entry(found.value, found.revision or _hash(found.value))

    async def put(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> None:
        """Write, whatever was there; `ttl` is not honoured."""
        del ttl
        encoded(name)
        async with self._answering():
            await self._write(name, value)

    async def create(self, name: str, value: bytes, /, *, ttl: timedelta | None = None) -> bool:
        """Write only if there is no entry."""
        del ttl
        encoded(name)
        async with self._answering():
            found = await self._read(name)
            if found.value is not None:
                return False
            return await self._write_if(found, name, value)

    async def replace(
        self, name: str, value: bytes, /, *, revision: str, ttl: timedelta | None = None
    ) -> bool:
        """Write only if the entry still has that revision."""
        del ttl
        encoded(name)
        async with self._answering():
            found = await self._read(name)
            if found.value is None or revision != (found.revision or _hash(found.value)):
                return False
            return await self._write_if(found, name, value)

    async def delete(self, name: str, /) -> bool:
        """Remove the entry; False if there was none."""
        encoded(name)
        options = pb.DeleteOptions(database=self._database, table=self._table)
        request = pb.DeleteRequest(key=name, options=options)
        async with self._answering():
            try:
                await self._channel.call("Delete", request, pb.DeleteResponse)
            except AioRpcError as exc:
                if exc.code() is grpc.StatusCode.NOT_FOUND:
                    return False
                raise
        return True

    async def names(self) -> AsyncIterator[str]:
        """Yield the name of every entry.

        Raises StoreError at the family's service: its List answers nothing, whatever it holds.
        """
        options = pb.ListOptions(database=self._database, table=self._table)
        async with self._answering():
            pages, told = await self._channel.stream(
                "List", pb.ListRequest(options=options), pb.ListResponse
            )
        if REVISION not in told:
            raise StoreError(
                "The store cannot list its entries.", detail="store service: List is not supported"
            )
        for page in pages:
            for name in page.keys:
                yield name

    async def check(self) -> None:
        """Raise StoreError unless the service answers now."""
        await self.get("ocgate-check")

    async def aclose(self) -> None:
        """Close the connection. May be called twice."""
        await self._channel.aclose()

    def _answering(self) -> AbstractAsyncContextManager[None]:
        return answering("store service", self._timeout, grpc.RpcError, reason=_details)

    async def _read(self, name: str) -> _Found:
        options = pb.ReadOptions(database=self._database, table=self._table)
        request = pb.ReadRequest(key=name, options=options)
        try:
            response, told = await self._channel.call("Read", request, pb.ReadResponse)
        except AioRpcError as exc:
            if exc.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            told = texts(exc.trailing_metadata())
            return _Found(None, told.get(REVISION))
        value = response.records[0].value if response.records else None
        return _Found(value, told.get(REVISION))

    async def _write(self, name: str, value: bytes, *, if_revision: str | None = None) -> bool:
        options = pb.WriteOptions(database=self._database, table=self._table)
        request = pb.WriteRequest(record=pb.Record(key=name, value=value), options=options)
        condition = () if if_revision is None else ((IF_REVISION, if_revision),)
        try:
            await self._channel.call("Write", request, pb.WriteResponse, *condition)
        except AioRpcError as exc:
            if exc.code() is grpc.StatusCode.ABORTED:
                return False
            raise
        return True

    async def _write_if(self, found: _Found, name: str, value: bytes) -> bool:
        if found.revision is not None:
            return await self._write(name, value, if_revision=found.revision)
        await self._write(name, value)
        return (await self._read(name)).value == value


def store_service_store(settings: StoreSettings, *, database: str, table: str) -> StoreServiceStore:
    """Make the store; nothing is sent yet.

    Its one node is a service name (looked up in `settings.registry`) or `host:port`. Raises
    ConfigError for several nodes.
    """
    nodes = settings.nodes or (SERVICES[settings.kind],)
    if len(nodes) != 1:
        raise ConfigError(f"{settings.kind} takes one node: a service name or host:port")
    channel = StoreServiceChannel(
        nodes[0],
        package=PACKAGES[settings.kind],
        registry=None if ":" in nodes[0] else service_registry(settings),
        timeout=settings.timeout,
    )
    return StoreServiceStore(channel, database=database, table=table, timeout=settings.timeout)


def _hash(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def _details(error: Exception) -> str:
    # gRPC's own text says it twice, on five lines.
    return str(error.details()) if isinstance(error, AioRpcError) else str(error)
