import asyncio
import json
import logging
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from starlette.types import Receive, Scope, Send

from ocgate.core.errors import (
    BadGateway,
    BadRequest,
    ConfigError,
    Forbidden,
    GatewayTimeout,
    NotFound,
    OcgateError,
    Overloaded,
    StoreError,
)
from ocgate_middleware.errors import ErrorMiddleware
from ocgate_middleware.identify import LOG_FIELDS
from ocgate_middleware.request_id import RequestIdMiddleware
from tests.support.asgi import Answered, Upstream, call, http


class Raises:
    """An app that fails, before its answer or in the middle of it."""

    def __init__(self, error: BaseException, *, begun: bool = False) -> None:
        self.error = error
        self.begun = begun

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise self.error


async def answered(
    error: BaseException,
    method: str = "GET",
    target: str = "/a",
    more: dict[str, Any] | None = None,
) -> Answered:
    return await call(ErrorMiddleware(Raises(error)), http(method, target, more=more))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BadRequest, 400),
        (Forbidden, 403),
        (NotFound, 404),
        (StoreError, 503),
        (Overloaded, 503),
        (BadGateway, 502),
        (GatewayTimeout, 504),
        (ConfigError, 500),
    ],
)
async def test_an_error_becomes_its_status_and_its_sentence(
    error: type[OcgateError], status: int
) -> None:
    found = await answered(error("What is wrong.", detail="the secret is 4711"))
    assert found.status == status
    assert found.body == b"What is wrong.\n"
    assert found.header(b"content-type") == b"text/plain; charset=utf-8"
    assert found.header(b"content-length") == b"15"
    assert found.header(b"cache-control") == b"no-store"
    retry = error.retry_after
    assert found.header(b"retry-after") == (None if retry is None else b"%d" % retry)


async def test_what_works_passes_as_it_is() -> None:
    found = await call(ErrorMiddleware(Upstream(headers=[(b"etag", b"x")])), http())
    assert (found.status, found.headers, found.body) == (200, [(b"etag", b"x")], b"hello")


async def test_head_gets_no_body() -> None:
    found = await answered(NotFound("Nothing here."), "HEAD")
    assert found.body == b""
    assert found.header(b"content-length") == b"14"


async def test_dav_methods_get_xml() -> None:
    found = await answered(Forbidden("Not <you>."), "PROPFIND", "/ocs/v1.php/x")
    assert found.header(b"content-type") == b"application/xml; charset=utf-8"
    root = ET.fromstring(found.body)
    assert root.tag == "{DAV:}error"
    assert root.findtext("{http://sabredav.org/ns}message") == "Not <you>."
    assert root.findtext("{http://sabredav.org/ns}exception") == "Sabre\\DAV\\Exception\\Forbidden"


@pytest.mark.parametrize(
    ("target", "error", "code", "status"),
    [
        ("/ocs/v1.php/x?format=json", NotFound("no"), 998, 404),
        ("/ocs/v2.php/x?format=json", NotFound("no"), 404, 404),
        ("/ocs/v1.php/x?format=json", StoreError("no"), 503, 503),
        ("/ocs/v2.php/x?format=json", BadRequest("no"), 400, 400),
        ("/ocs/v1.php/x?format=json", ValueError("leak"), 996, 500),
    ],
)
async def test_ocs_paths_get_the_envelope(
    target: str, error: Exception, code: int, status: int
) -> None:
    found = await answered(error, target=target)
    assert found.status == status
    assert found.header(b"content-type") == b"application/json"
    meta = json.loads(found.body)["ocs"]["meta"]
    assert (meta["status"], meta["statuscode"]) == ("error", code)
    xml = await answered(error, target=target.partition("?")[0])
    assert xml.header(b"content-type") == b"application/xml; charset=utf-8"
    assert ET.fromstring(xml.body).findtext("meta/statuscode") == str(code)


@pytest.mark.parametrize("target", ["/ocs", "/ocsv1.php", "/ocs/v3.php/x", "/x/ocs/v1.php"])
async def test_other_paths_get_text(target: str) -> None:
    assert (await answered(NotFound("no"), target=target)).body == b"no\n"


async def test_an_unexpected_exception_tells_only_the_requests_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = RequestIdMiddleware(ErrorMiddleware(Raises(KeyError("/etc/secret"))))
    found = await call(app, http(headers=[(b"x-request-id", b"id-1")]))
    assert found.status == 500
    assert b"id-1" in found.body
    assert b"secret" not in repr(found.messages).encode()
    assert found.header(b"x-request-id") == b"id-1"
    [record] = caplog.records
    assert record.exc_info is not None
    assert vars(record)["fields"] == {"request-id": "id-1", "path": "/"}


@pytest.mark.parametrize("error", [BadGateway("cut off"), ValueError("oops")])
async def test_after_the_answer_has_begun_the_server_gets_the_exception(error: Exception) -> None:
    gate = ErrorMiddleware(Raises(error, begun=True))
    with pytest.raises(type(error)):
        await call(gate, http())


async def test_a_cancelled_request_is_no_error() -> None:
    with pytest.raises(asyncio.CancelledError):
        await answered(asyncio.CancelledError())


async def test_the_detail_is_for_the_log(caplog: pytest.LogCaptureFixture) -> None:
    line: dict[str, Any] = {}
    with caplog.at_level(logging.ERROR, "ocgate.errors"):
        await answered(BadGateway("No.", detail="refused by 10.0.0.5"), more={LOG_FIELDS: line})
        await answered(BadRequest("No.", detail="a broken escape"))
    [record] = caplog.records
    assert vars(record)["fields"]["detail"] == "refused by 10.0.0.5"
    assert line == {"error": "BadGateway"}


async def test_a_body_is_drained_boundedly() -> None:
    headers = [(b"content-length", b"999999999")]
    gate = ErrorMiddleware(Raises(Forbidden("no")))
    found = await call(gate, http("PUT", headers=headers), [b"x" * 65536] * 9)
    assert found.asked == 2
    assert found.header(b"connection") == b"close"


async def test_other_scopes_pass() -> None:
    upstream = Upstream()
    await call(ErrorMiddleware(upstream), {"type": "websocket"})
    assert upstream.scopes == [{"type": "websocket"}]
