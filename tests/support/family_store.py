"""The family's store service as far as a client can see it: no condition, no list, no revision."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, cast

import grpc
import grpc.aio

from ocgate.stores import store_service_pb2 as pb


class FamilyStore:
    """Answers as oCIS' `services/store` does, with a dict for its files."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str, str], bytes] = {}
        self.methods: list[str] = []
        self.overwrites_with: bytes | None = None
        """What another writer leaves behind right after each write."""
        made = cast("Any", grpc)
        self._handlers: dict[str, Any] = {
            "Read": made.unary_unary_rpc_method_handler(self.read, pb.ReadRequest.FromString),
            "Write": made.unary_unary_rpc_method_handler(self.write, pb.WriteRequest.FromString),
            "Delete": made.unary_unary_rpc_method_handler(self.delete, pb.DeleteRequest.FromString),
            "List": made.unary_stream_rpc_method_handler(self.list_nothing),
        }

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        self.methods.append(details.method)
        return self._handlers[details.method.rpartition("/")[2]]

    async def read(self, request: pb.ReadRequest, context: Any) -> bytes:
        value = self.records.get(_place(request.options, request.key))
        if value is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "could not read record")
            raise AssertionError
        record = pb.Record(key=request.key, value=value)
        return pb.ReadResponse(records=[record]).SerializeToString()

    async def write(self, request: pb.WriteRequest, _: Any) -> bytes:
        value = self.overwrites_with or request.record.value
        self.records[_place(request.options, request.record.key)] = value
        return b""

    async def delete(self, request: pb.DeleteRequest, context: Any) -> bytes:
        if self.records.pop(_place(request.options, request.key), None) is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "could not find record")
        return b""

    async def list_nothing(self, _request: bytes, _context: Any) -> AsyncGenerator[bytes]:
        for nothing in tuple[bytes, ...]():
            yield nothing


def _place(options: Any, key: str) -> tuple[str, str, str]:
    return options.database, options.table, key


@contextlib.asynccontextmanager
async def family_store() -> AsyncGenerator[tuple[FamilyStore, str]]:
    """Yield the service and its address."""
    service = FamilyStore()
    server = cast("Any", grpc.aio).server(handlers=(service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield service, f"127.0.0.1:{port}"
    await server.stop(None)
