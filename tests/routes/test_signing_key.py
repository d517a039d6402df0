import asyncio
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from starlette.types import Message, Scope

from ocgate.core.errors import StoreError
from ocgate.core.identity import PRINCIPAL, Account, Principal
from ocgate.routes.signing_key import SigningKeyEndpoint
from ocgate.stores.memory import MemoryStore
from ocgate.stores.signing_keys import SigningKeys

USER = "b1f74ec4-dd7e-11ef-a543-03775734d0f7"
KEY = "19b511cbaedebe60126073eaa70f83993160bc0bcbfebd6d9477d99ee31c5ea6" * 2
NOW = datetime(2026, 11, 21, 21, 0, 44, 483199, tzinfo=UTC)
HEADERS = {
    "cache-control": "no-cache, no-store, max-age=0, must-revalidate",
    "expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    "last-modified": "Sat, 21 Nov 2026 21:00:44 GMT",
    "vary": "Origin",
    "x-ocs-version": "0.1.0",
}
"""Recorded, but for the version and a stray word in Cache-Control."""


class Answer:
    def __init__(self, start: Message, body: bytes) -> None:
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body = body


class World:
    def __init__(self) -> None:
        self.store = MemoryStore(shared=True)
        keys = SigningKeys(
            self.store, MemoryStore(shared=True), ttl=timedelta(hours=12), grace=timedelta(0)
        )
        self.app = SigningKeyEndpoint(keys=keys, now=lambda: NOW)

    async def ask(self, target: str, method: str = "GET", *, anonymous: bool = False) -> Answer:
        path, _, query = target.partition("?")
        scope: Scope = {
            "type": "http",
            "method": method,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"accept", b"application/json")],
        }
        if not anonymous:
            scope[PRINCIPAL] = Principal(Account(USER, "alan"), proven_by="basic")
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        async def receive() -> Message:
            raise AssertionError("the body is not read")

        await self.app(scope, receive, send)
        start, body = sent
        return Answer(start, body["body"])


@pytest.fixture
async def world() -> World:
    world = World()
    await world.store.put(USER, KEY.encode())
    return world


@pytest.mark.parametrize(("version", "statuscode"), [(1, 100), (2, 200)])
@pytest.mark.parametrize("form", ["json", "junk", "JSON"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_json_is_as_recorded(
    world: World, version: int, statuscode: int, form: str, slash: str
) -> None:
    answer = await world.ask(f"/ocs/v{version}.php/cloud/user/signing-key{slash}?format={form}")
    assert answer.status == 200
    assert answer.body.decode() == (
        f'{{"ocs":{{"meta":{{"status":"ok","statuscode":{statuscode},"message":"OK"}},'
        f'"data":{{"user":"{USER}","signing-key":"{KEY}"}}}}}}\n'
    )
    assert answer.headers == {
        **HEADERS,
        "content-type": "application/json",
        "content-length": "265",
        "ocs-api-version": str(version),
    }


@pytest.mark.parametrize(("version", "statuscode"), [(1, 100), (2, 200)])
@pytest.mark.parametrize("query", ["", "?format=xml", "?format="])
async def test_xml_is_as_recorded(world: World, version: int, statuscode: int, query: str) -> None:
    answer = await world.ask(f"/ocs/v{version}.php/cloud/user/signing-key{query}")
    assert answer.status == 200
    assert answer.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<ocs><meta><status>ok</status><statuscode>{statuscode}</statuscode>"
        f"<message>OK</message></meta><data><user>{USER}</user>"
        f"<signing-key>{KEY}</signing-key></data></ocs>"
    )
    assert answer.headers == {
        **HEADERS,
        "content-type": "application/xml; charset=utf-8",
        "content-length": "348",
        "ocs-api-version": str(version),
    }


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "PROPFIND", "get"])
async def test_other_methods_are_refused(world: World, method: str) -> None:
    answer = await world.ask("/ocs/v2.php/cloud/user/signing-key?format=json", method)
    assert (answer.status, answer.body) == (405, b"")
    assert answer.headers == {
        **HEADERS, "allow": "GET", "content-length": "0", "ocs-api-version": "2"
    }  # fmt: skip


@pytest.mark.parametrize("path", ["X", "/foo", "//", "/foo/"])
@pytest.mark.parametrize(("version", "status"), [(1, 200), (2, 404)])
async def test_a_longer_path_is_an_ocs_not_found(
    world: World, path: str, version: int, status: int
) -> None:
    target = f"/ocs/v{version}.php/cloud/user/signing-key{path}?format=json"
    for method in ("GET", "POST"):
        answer = await world.ask(target, method)
        assert answer.status == status
        assert answer.body == (
            b'{"ocs":{"meta":{"status":"error","statuscode":998,"message":"not found"}}}\n'
        )
        assert answer.headers == {
            **HEADERS,
            "content-type": "application/json",
            "content-length": "75",
            "ocs-api-version": str(version),
        }


async def test_a_hundred_parallel_first_requests_get_one_key() -> None:
    world = World()
    target = "/ocs/v1.php/cloud/user/signing-key?format=json"
    answers = await asyncio.gather(*(world.ask(target) for _ in range(100)))
    keys = {json.loads(answer.body)["ocs"]["data"]["signing-key"] for answer in answers}
    assert len(keys) == 1
    assert re.fullmatch(r"[0-9a-f]{128}", keys.pop())


async def test_without_a_principal_nothing_is_given_away(world: World) -> None:
    with pytest.raises(LookupError):
        await world.ask("/ocs/v1.php/cloud/user/signing-key", anonymous=True)


async def test_a_store_that_is_down_is_an_error(world: World) -> None:
    class Down:
        async def find_or_create(self, user_id: str) -> bytes:
            raise StoreError("The store does not answer.")

    assert (await world.ask("/ocs/v1.php/cloud/user/signing-key")).status == 200
    world.app = SigningKeyEndpoint(keys=Down())
    with pytest.raises(StoreError):
        await world.ask("/ocs/v1.php/cloud/user/signing-key")


async def test_the_moment_of_the_answer_is_its_last_modified() -> None:
    world = World()
    world.app = SigningKeyEndpoint(
        keys=SigningKeys(world.store, MemoryStore(shared=True), ttl=None, grace=timedelta(0))
    )
    answer = await world.ask("/ocs/v1.php/cloud/user/signing-key")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", answer.headers["last-modified"])
