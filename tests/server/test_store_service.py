import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocgate.server.store_service import StoreService
from ocgate.stores import store_service_pb2 as pb
from ocgate.stores.sqlite import SQLiteStore
from ocgate.stores.sqlite_file import SQLiteFile

WHERE: dict[str, Any] = {"database": "proxy", "table": "signing-keys"}


class Caller:
    """Calls methods by their path, as any gRPC client does."""

    def __init__(self, address: str) -> None:
        self.channel: Any = grpc.aio.insecure_channel(address)
        self.package = "/ocis.services.store.v0.Store/"

    async def raw(self, path: str, request: bytes) -> bytes:
        return bytes(await self.channel.unary_unary(path)(request, timeout=10))

    async def read(self, key: str) -> bytes:
        request = pb.ReadRequest(key=key, options=pb.ReadOptions(**WHERE))
        answer = await self.raw(f"{self.package}Read", request.SerializeToString())
        (record,) = pb.ReadResponse.FromString(answer).records
        assert record.key == key
        return record.value

    async def write(self, key: str, value: bytes) -> None:
        options = pb.WriteOptions(**WHERE)
        request = pb.WriteRequest(record=pb.Record(key=key, value=value), options=options)
        assert await self.raw(f"{self.package}Write", request.SerializeToString()) == b""

    async def keys(self, **options: Any) -> list[str]:
        request = pb.ListRequest(options=pb.ListOptions(**WHERE, **options))
        call = self.channel.unary_stream(f"{self.package}List")
        pages = [page async for page in call(request.SerializeToString(), timeout=10)]
        return [key for page in pages for key in pb.ListResponse.FromString(page).keys]


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SQLiteFile]:
    made = SQLiteFile(tmp_path / "store.db", timeout=10)
    yield made
    await made.aclose()


@pytest.fixture
async def caller(file: SQLiteFile) -> AsyncIterator[Caller]:
    server = cast("Any", grpc.aio).server(handlers=(StoreService(file),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    made = Caller(f"127.0.0.1:{port}")
    yield made
    await made.channel.close()
    await server.stop(None)


async def refused(call: Any) -> tuple[grpc.StatusCode, dict[str, Any]]:
    """Return the status and the error as go-micro's clients read it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), json.loads(caught.value.details() or "{}")


@pytest.mark.parametrize(
    "prefix",
    [
        "/ocis.services.store.v0.Store/",
        "/opencloud.services.store.v0.Store/",
        # go-micro's clients put the name of the service before the method.
        "/com.owncloud.api.store.Store/",
        "/eu.opencloud.api.store.Store/",
        "/Store/",
    ],
)
async def test_the_methods_are_there_whatever_the_package(caller: Caller, prefix: str) -> None:
    caller.package = prefix
    await caller.write("id", b"key")
    assert await caller.read("id") == b"key"


@pytest.mark.parametrize(
    "path", ["/a.Other/Read", "/a.Store/Watch", "/a.Store/", "/x", "/a.store/Read"]
)
async def test_other_methods_are_unimplemented(caller: Caller, path: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await caller.raw(path, b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_messages_have_the_numbers_of_the_family(caller: Caller) -> None:
    # WriteRequest: record 1 (key 1, value 2), options 2 (database 1, table 2).
    where = b"\x12\x15\x0a\x05proxy\x12\x0csigning-keys"
    assert await caller.raw("/s.Store/Write", b"\x0a\x08\x0a\x02id\x12\x02\x00\xff" + where) == b""
    # ReadRequest: key 1, options 2. ReadResponse: records 1.
    read = b"\x0a\x02id" + where
    assert await caller.raw("/s.Store/Read", read) == b"\x0a\x08\x0a\x02id\x12\x02\x00\xff"
    # DeleteRequest: key 1, options 2.
    assert await caller.raw("/s.Store/Delete", read) == b""
    code, _ = await refused(caller.raw("/s.Store/Delete", read))
    assert code is grpc.StatusCode.NOT_FOUND


async def test_a_missing_record_is_a_404_for_go_micro(caller: Caller) -> None:
    assert await refused(caller.read("nobody")) == (
        grpc.StatusCode.NOT_FOUND,
        {
            "id": "ocgate.store",
            "code": 404,
            "detail": "there is no such record",
            "status": "Not Found",
        },
    )


async def test_a_record_is_an_entry_of_the_file(caller: Caller, file: SQLiteFile) -> None:
    await caller.write("id", b"key")
    entry = await SQLiteStore(file, **WHERE).get("id")
    assert entry is not None
    assert entry.value == b"key"
    databases = await caller.raw("/s.Store/Databases", b"")
    assert pb.DatabasesResponse.FromString(databases).databases == ["proxy"]
    request = pb.TablesRequest(database="proxy").SerializeToString()
    tables = await caller.raw("/s.Store/Tables", request)
    assert pb.TablesResponse.FromString(tables).tables == ["signing-keys"]


async def test_keys_are_listed_by_prefix_suffix_offset_and_limit(caller: Caller) -> None:
    for key in ("a1", "a2", "b1", "b2"):
        await caller.write(key, b"")
    assert await caller.keys() == ["a1", "a2", "b1", "b2"]
    assert await caller.keys(prefix="a") == ["a1", "a2"]
    assert await caller.keys(suffix="1") == ["a1", "b1"]
    assert await caller.keys(offset=1, limit=2) == ["a2", "b1"]
    assert await caller.keys(offset=2**64 - 1, limit=2**64 - 1) == []
    assert await caller.keys(offset=3) == ["b2"]


async def test_what_cannot_be_answered_is_refused_and_not_ignored(caller: Caller) -> None:
    field = pb.Field(type="string", value="v")
    options = pb.WriteOptions(**WHERE)
    with_metadata = pb.Record(key="k", metadata={"m": field})
    reads = [
        pb.ReadRequest(key="k", options=pb.ReadOptions(**WHERE, prefix=True)),
        pb.ReadRequest(key="k", options=pb.ReadOptions(**WHERE, suffix=True)),
        pb.ReadRequest(options=pb.ReadOptions(**WHERE, where={"m": field})),
    ]
    for request in reads:
        code, _ = await refused(caller.raw("/s.Store/Read", request.SerializeToString()))
        assert code is grpc.StatusCode.UNIMPLEMENTED
    write = pb.WriteRequest(record=with_metadata, options=options)
    code, error = await refused(caller.raw("/s.Store/Write", write.SerializeToString()))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert error["code"] == 501
    for key in ("", "x" * 1025):
        code, error = await refused(caller.read(key))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert error["code"] == 400


async def test_bytes_that_are_no_message_are_refused(caller: Caller) -> None:
    for method in ("Read", "Write", "Delete", "Databases", "Tables"):
        code, _ = await refused(caller.raw(f"/s.Store/{method}", b"\xff"))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in caller.channel.unary_stream("/s.Store/List")(b"\xff", timeout=10):
            pass
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_file_that_does_not_answer_is_unavailable(caller: Caller, file: SQLiteFile) -> None:
    await file.aclose()
    code, error = await refused(caller.read("id"))
    assert code is grpc.StatusCode.UNAVAILABLE
    assert error["code"] == 503
    assert str(file.path) not in error["detail"]
    code, _ = await refused(caller.keys())
    assert code is grpc.StatusCode.UNAVAILABLE


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["Read", "Write", "Delete", "Databases", "Tables"]),
    request_bytes=st.binary(max_size=60),
)
async def test_no_request_breaks_the_service(
    caller: Caller, method: str, request_bytes: bytes
) -> None:
    code = grpc.StatusCode.OK
    try:
        await caller.raw(f"/s.Store/{method}", request_bytes)
    except grpc.aio.AioRpcError as exc:
        code = exc.code()
    assert code in {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
    }
