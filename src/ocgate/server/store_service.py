"""The family's store service, persistent, in a SQLite file.

It answers the gRPC methods Read, Write, Delete, List, Databases and Tables of a service named
`Store` whatever package stands before it: go-micro's clients put the *service* name there
(`/com.owncloud.api.store.Store/Read`), others the package of the protocol file. Entries are
kept until they are deleted. There is no authentication, as in the family: it belongs on a
loopback or private address.

Errors travel as go-micro reads them: a gRPC status whose text is JSON with id, code, detail
and status. What the family's clients never send is refused and not ignored: metadata of a
record, Read by prefix, suffix or `where`.
"""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import islice
from typing import Any, cast

import grpc
from google.protobuf.message import DecodeError, Message

from ocgate.core.errors import StoreError
from ocgate.stores import store_service_pb2 as pb
from ocgate.stores.sqlite import SQLiteStore, databases, tables
from ocgate.stores.sqlite_file import SQLiteFile
from ocgate.stores.store_service import IF_REVISION, NO_ENTRY, REVISION
from ocgate.stores.store_service_channel import texts

log = logging.getLogger("ocgate.store_service")

_Options = pb.ReadOptions | pb.WriteOptions | pb.DeleteOptions | pb.ListOptions

_ID = "ocgate.store"
_PAGE = 500
_CODES = {
    HTTPStatus.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    HTTPStatus.CONFLICT: grpc.StatusCode.ABORTED,
    HTTPStatus.NOT_IMPLEMENTED: grpc.StatusCode.UNIMPLEMENTED,
    HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
}


class Refused(Exception):
    """The call cannot be answered; `status` says why in HTTP's terms, as go-micro does."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class StoreService:
    """Answers the calls from the entries of one file: a gRPC generic handler."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file = file
        # The stubs of gRPC leave the handlers' types open.
        self._handlers: dict[str, Any] = {
            "Read": _unary(self.read, pb.ReadRequest),
            "Write": _unary(self.write, pb.WriteRequest),
            "Delete": _unary(self.delete, pb.DeleteRequest),
            "Databases": _unary(self.databases, pb.DatabasesRequest),
            "Tables": _unary(self.tables, pb.TablesRequest),
            "List": cast("Any", grpc).unary_stream_rpc_method_handler(
                self.keys, response_serializer=_dumped
            ),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler of `/<anything>.Store/<method>`; None is UNIMPLEMENTED."""
        service, _, method = handler_call_details.method.removeprefix("/").partition("/")
        return self._handlers.get(method) if service.rpartition(".")[2] == "Store" else None

    async def read(self, request: pb.ReadRequest, context: Any) -> pb.ReadResponse:
        """Return the one record with that key, and its revision."""
        options = request.options
        if options.prefix or options.suffix or options.where:
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, "records are read by their key only")
        entry = await self._table(options).get(request.key)
        context.set_trailing_metadata(((REVISION, entry.revision if entry else NO_ENTRY),))
        if entry is None:
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such record")
        return pb.ReadResponse(records=[pb.Record(key=request.key, value=entry.value)])

    async def write(self, request: pb.WriteRequest, context: Any) -> pb.WriteResponse:
        """Keep the record; on condition where the call carries one."""
        record = request.record
        if record.metadata:
            raise Refused(HTTPStatus.NOT_IMPLEMENTED, "metadata of records is not kept")
        table = self._table(request.options)
        condition = texts(context.invocation_metadata() or ()).get(IF_REVISION)
        if condition is None:
            await table.put(record.key, record.value)
            written = True
        elif condition == NO_ENTRY:
            written = await table.create(record.key, record.value)
        else:
            written = await table.replace(record.key, record.value, revision=condition)
        if not written:
            raise Refused(HTTPStatus.CONFLICT, "the record has another revision")
        return pb.WriteResponse()

    async def delete(self, request: pb.DeleteRequest, _context: Any) -> pb.DeleteResponse:
        """Remove the record."""
        if not await self._table(request.options).delete(request.key):
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such record")
        return pb.DeleteResponse()

    async def databases(self, _request: pb.DatabasesRequest, _context: Any) -> pb.DatabasesResponse:
        """Return the databases that hold a record."""
        return pb.DatabasesResponse(databases=await databases(self._file))

    async def tables(self, request: pb.TablesRequest, _context: Any) -> pb.TablesResponse:
        """Return the tables of a database that hold a record."""
        return pb.TablesResponse(tables=await tables(self._file, request.database))

    async def keys(self, message: bytes, context: Any) -> AsyncIterator[pb.ListResponse]:
        """Send the keys with that prefix and suffix, from `offset`, at most `limit`."""
        async with _answered(context):
            options = pb.ListRequest.FromString(message).options
            keys = [
                name
                async for name in self._table(options).names()
                if name.startswith(options.prefix) and name.endswith(options.suffix)
            ]
        context.set_trailing_metadata(((REVISION, NO_ENTRY),))
        end = options.offset + options.limit if options.limit else None
        chosen = iter(keys[options.offset : end])
        while page := list(islice(chosen, _PAGE)):
            yield pb.ListResponse(keys=page)

    def _table(self, options: _Options) -> SQLiteStore:
        return SQLiteStore(self._file, database=options.database, table=options.table)


def _unary(method: Callable[[Any, Any], Awaitable[Message]], request: type[Message]) -> Any:
    # Parsed here and not by gRPC, which takes bytes that are no message for our mistake.
    async def behaviour(message: bytes, context: Any) -> Message:
        async with _answered(context):
            return await method(request.FromString(message), context)
        raise AssertionError("abort raises")

    return cast("Any", grpc).unary_unary_rpc_method_handler(behaviour, response_serializer=_dumped)


@asynccontextmanager
async def _answered(context: Any) -> AsyncGenerator[None]:
    """Turn what goes wrong inside into the call's status."""
    try:
        yield
    except Refused as exc:
        await _abort(context, exc.status, str(exc))
    except (ValueError, DecodeError) as exc:
        await _abort(context, HTTPStatus.BAD_REQUEST, str(exc))
    except StoreError as exc:
        log.warning("store service: %s", exc.detail)
        await _abort(context, HTTPStatus.SERVICE_UNAVAILABLE, str(exc))


async def _abort(context: Any, status: HTTPStatus, detail: str) -> None:
    error = {"id": _ID, "code": int(status), "detail": detail, "status": status.phrase}
    await context.abort(_CODES[status], json.dumps(error))


def _dumped(message: Message) -> bytes:
    return message.SerializeToString()
