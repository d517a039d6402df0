import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.identity import Account, Outcome, Principal, Rejection
from ocgate_middleware.access_log import AccessLogMiddleware
from ocgate_middleware.errors import ErrorMiddleware
from ocgate_middleware.identify import LOG_FIELDS, identified, record
from ocgate_middleware.request_id import RequestIdMiddleware
from tests.support.asgi import Upstream, call, http


class Counts:
    def __init__(self) -> None:
        self.started = 0
        self.finished: list[tuple[str, int]] = []
        self.judged: list[tuple[str, str, str]] = []

    def request_started(self) -> None:
        self.started += 1

    def request_finished(self, method: str, status: int, seconds: float, /) -> None:
        assert seconds >= 0
        self.finished.append((method, status))

    def credential_judged(self, scheme: str, result: str, reason: str, /) -> None:
        self.judged.append((scheme, result, reason))


class Says:
    name = "basic"
    challenge = None

    def __init__(self, app: ASGIApp, outcome: Outcome) -> None:
        self.app = app
        self.outcome = outcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(await identified(scope, self), receive, send)

    async def authenticate(self, scope: Mapping[str, Any], /) -> Outcome:
        return self.outcome


@pytest.fixture
def info(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "ocgate.access")
    return caplog


def fields_of(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    [found] = [record for record in caplog.records if record.name == "ocgate.access"]
    assert found.getMessage() == "access-log"
    assert found.levelno == logging.INFO
    return dict(vars(found)["fields"])


async def test_a_line_has_the_familys_keys_and_no_query(info: pytest.LogCaptureFixture) -> None:
    app = AccessLogMiddleware(RequestIdMiddleware(Upstream()))
    await call(app, http(target="/a?OC-Signature=ff", headers=[(b"x-request-id", b"id-1")]))
    fields = fields_of(info)
    assert isinstance(fields.pop("duration"), float)
    assert list(fields.items()) == [
        ("proto", "HTTP/1.1"),
        ("request-id", "id-1"),
        ("remote-addr", "192.0.2.7"),
        ("method", "GET"),
        ("status", 200),
        ("path", "/a"),
        ("bytes", 5),
    ]


async def test_who_came_in_and_who_did_not_is_told(info: pytest.LogCaptureFixture) -> None:
    alan = Principal(Account("4c51", "alan"), "basic")
    counts = Counts()
    await call(AccessLogMiddleware(Says(Upstream(), alan), observe=counts), http())
    fields = fields_of(info)
    assert (fields["user"], fields["authenticator"]) == ("alan", "basic")
    info.clear()
    refused = Rejection("wrong_password", "alan")
    await call(AccessLogMiddleware(Says(Upstream(), refused), observe=counts), http())
    fields = fields_of(info)
    assert (fields["authenticator"], fields["reason"]) == ("basic", "wrong_password")
    assert counts.judged == [("basic", "accepted", ""), ("basic", "refused", "wrong_password")]


async def test_nothing_is_built_while_the_level_is_above_info(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "ocgate.access")
    upstream = Upstream()
    scope = http()
    await call(AccessLogMiddleware(upstream), scope)
    assert LOG_FIELDS not in upstream.scopes[0]
    counts = Counts()
    await call(AccessLogMiddleware(upstream, observe=counts), scope)
    assert counts.finished == [("GET", 200)]
    assert caplog.records == []


async def test_a_failure_is_a_500_and_goes_on(info: pytest.LogCaptureFixture) -> None:
    async def fails(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError

    counts = Counts()
    with pytest.raises(ValueError):
        await call(AccessLogMiddleware(fails, observe=counts), http())
    assert counts.finished == [("GET", 500)]
    assert fields_of(info)["status"] == 500


async def test_a_client_that_left_is_a_499(info: pytest.LogCaptureFixture) -> None:
    async def left(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    counts = Counts()
    with pytest.raises(asyncio.CancelledError):
        await call(AccessLogMiddleware(left, observe=counts), http())
    assert (counts.started, counts.finished) == (1, [("GET", 499)])
    assert fields_of(info)["aborted"] is True


async def test_an_answer_that_was_cut_off_is_told(info: pytest.LogCaptureFixture) -> None:
    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 206, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    await call(AccessLogMiddleware(ErrorMiddleware(cut)), http())
    fields = fields_of(info)
    assert (fields["status"], fields["bytes"], fields["aborted"]) == (206, 4, True)


async def test_who_takes_the_connection_over_tells_the_status(
    info: pytest.LogCaptureFixture,
) -> None:
    async def tunnel(scope: Scope, receive: Receive, send: Send) -> None:
        record(scope, status=101)

    counts = Counts()
    await call(AccessLogMiddleware(tunnel, observe=counts), http())
    fields = fields_of(info)
    assert fields["status"] == 101
    assert "aborted" not in fields
    assert counts.finished == [("GET", 101)]


async def test_a_peer_without_an_address_is_empty(info: pytest.LogCaptureFixture) -> None:
    await call(AccessLogMiddleware(Upstream()), http(client=None))
    assert fields_of(info)["remote-addr"] == ""


async def test_other_scopes_pass(info: pytest.LogCaptureFixture) -> None:
    upstream = Upstream()
    await call(AccessLogMiddleware(upstream, observe=Counts()), {"type": "lifespan"})
    assert upstream.scopes == [{"type": "lifespan"}]
