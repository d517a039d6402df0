import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from ocgate.core.errors import StoreError
from ocgate.routes import health
from ocgate.routes.health import Check, debug_app
from tests.support.asgi import Answered, Header, call, http


class Page:
    content_type = "text/plain; version=0.0.4"

    def render(self) -> bytes:
        return b"up 1\n"


async def works() -> None:
    return None


async def fails() -> None:
    raise ConnectionError("10.0.0.5 refused")


async def store_is_down() -> None:
    raise StoreError("The store did not answer.", detail="redis 10.0.0.5: refused")


async def hangs() -> None:
    await asyncio.Event().wait()


async def asked(
    target: str,
    checks: Mapping[str, Check] | None = None,
    method: str = "GET",
    headers: list[Header] | None = None,
    **options: Any,
) -> Answered:
    app = debug_app(checks or {}, Page(), **options)
    return await call(app, http(method, target, headers or []))


async def test_healthz_says_that_the_process_answers() -> None:
    found = await asked("/healthz", {"store": fails})
    assert (found.status, found.body) == (200, b"OK")
    assert found.header(b"content-type") == b"text/plain; charset=utf-8"
    assert found.header(b"cache-control") == b"no-store"


async def test_readyz_runs_the_checks(caplog: pytest.LogCaptureFixture) -> None:
    found = await asked("/readyz", {"store": works})
    assert (found.status, found.body) == (200, b"OK")
    with caplog.at_level(logging.ERROR, "ocgate.health"):
        found = await asked("/readyz", {"store": works, "upstream": fails})
    assert (found.status, found.body) == (500, b"Internal Server Error")
    [record] = caplog.records
    assert record.getMessage() == "check failed"
    assert vars(record)["fields"]["check"] == "upstream"


async def test_the_log_says_why_a_store_failed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "ocgate.health"):
        await asked("/readyz", {"store": store_is_down})
    [record] = caplog.records
    assert vars(record)["fields"]["error"] == "StoreError: redis 10.0.0.5: refused"


async def test_verbose_names_the_checks_and_not_the_reasons() -> None:
    found = await asked("/readyz?verbose=1", {"store": works, "upstream": fails})
    assert found.status == 500
    assert found.body == b"Internal Server Error\nstore: ok\nupstream: failed\n"
    assert (await asked("/readyz?verbose=1", {"store": works})).body == b"OK\nstore: ok\n"
    assert (await asked("/readyz?verbose=0", {"store": works})).body == b"OK"


async def test_checks_run_at_the_same_time_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
    both = asyncio.Barrier(2)

    async def meets() -> None:
        await both.wait()

    found = await asked("/readyz?verbose=1", {"a": meets, "b": meets, "slow": hangs})
    assert found.body == b"Internal Server Error\na: ok\nb: ok\nslow: failed\n"


async def test_metrics_are_open_without_a_token() -> None:
    found = await asked("/metrics")
    assert (found.status, found.body) == (200, b"up 1\n")
    assert found.header(b"content-type") == b"text/plain; version=0.0.4"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Bearer wrong")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Basic t\xc3\xb6ken")],
        [(b"authorization", b"Bearer t\xff")],
        [(b"authorization", "Bearer töken".encode())] * 2,
    ],
)
async def test_metrics_are_closed_to_a_wrong_token(headers: list[Header]) -> None:
    found = await asked("/metrics", headers=headers, token="töken")
    assert found.status == 401
    assert found.header(b"www-authenticate") == b'Bearer realm="ocgate metrics"'
    right = [(b"authorization", "bearer töken".encode())]
    assert (await asked("/metrics", headers=right, token="töken")).status == 200
    assert (await asked("/healthz", token="töken")).status == 200


async def test_config_is_shown_where_it_is_given() -> None:
    assert (await asked("/config")).status == 404
    found = await asked("/config", config=lambda: {"secret": "***"})
    assert json.loads(found.body) == {"secret": "***"}
    assert found.header(b"content-type") == b"application/json"


async def test_everything_else_is_not_there() -> None:
    for target in ("/", "/healthz/", "/debug/pprof", "/METRICS"):
        assert (await asked(target)).status == 404
    found = await asked("/healthz", method="POST")
    assert (found.status, found.header(b"allow")) == (405, b"GET, HEAD")


async def test_head_has_no_body() -> None:
    found = await asked("/healthz", method="HEAD")
    assert (found.status, found.body, found.header(b"content-length")) == (200, b"", b"2")


async def test_other_scopes_are_left_alone() -> None:
    assert (await call(debug_app({}, Page()), {"type": "lifespan"})).messages == []
