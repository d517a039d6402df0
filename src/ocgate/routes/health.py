"""The debug listener's pages: `/healthz`, `/readyz`, `/metrics`, `/config`.

Never mounted on the public address. `/healthz` says that the process answers; `/readyz` runs
the checks. Both say `OK` or `Internal Server Error`, as in the family; which check failed
stands in the log, and in the answer to `?verbose=1`.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.errors import OcgateError

Check = Callable[[], Awaitable[None]]
"""Raises unless the thing checked works."""

CHECK_SECONDS = 2.0

log = logging.getLogger("ocgate.health")

_TEXT = b"text/plain; charset=utf-8"


class MetricsPage(Protocol):
    """What `/metrics` shows, e.g. `ocgate.server.metrics.Metrics`."""

    @property
    def content_type(self) -> str:
        """The page's media type."""
        ...

    def render(self) -> bytes:
        """Return the page."""
        ...


def debug_app(
    checks: Mapping[str, Check],
    metrics: MetricsPage,
    *,
    token: str = "",
    config: Callable[[], Any] | None = None,
) -> ASGIApp:
    """Return the app for the debug address.

    `checks` run at the same time, each for 2 s at most. `token` guards `/metrics` (`Bearer`);
    without one it is open. `config` gives JSON values with the secrets masked.
    """
    return _DebugApp(checks, metrics, token, config)


class _DebugApp:
    def __init__(
        self,
        checks: Mapping[str, Check],
        metrics: MetricsPage,
        token: str,
        config: Callable[[], Any] | None,
    ) -> None:
        self._checks = checks
        self._metrics = metrics
        self._token = token.encode()
        self._config = config

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, content_type, body, more = await self._page(scope)
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *more,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )

    async def _page(self, scope: Scope) -> tuple[int, bytes, bytes, list[tuple[bytes, bytes]]]:
        path = scope["path"]
        if path not in ("/healthz", "/readyz", "/metrics") and not (
            path == "/config" and self._config is not None
        ):
            return 404, _TEXT, b"Not Found\n", []
        if scope["method"] not in ("GET", "HEAD"):
            return 405, _TEXT, b"Method Not Allowed\n", [(b"allow", b"GET, HEAD")]
        if path == "/metrics":
            if not self._may_see_metrics(scope):
                challenge = (b"www-authenticate", b'Bearer realm="ocgate metrics"')
                return 401, _TEXT, b"Unauthorized\n", [challenge]
            return 200, self._metrics.content_type.encode(), self._metrics.render(), []
        if path == "/config" and self._config is not None:
            return 200, b"application/json", json.dumps(self._config()).encode() + b"\n", []
        failed = await self._failed() if path == "/readyz" else {}
        body = b"Internal Server Error" if failed else b"OK"
        if path == "/readyz" and _is_verbose(scope):
            lines = [f"{name}: {'failed' if name in failed else 'ok'}" for name in self._checks]
            body = "\n".join([body.decode(), *lines, ""]).encode()
        return 500 if failed else 200, _TEXT, body, []

    def _may_see_metrics(self, scope: Scope) -> bool:
        if not self._token:
            return True
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        return hmac.compare_digest(token, self._token) and scheme.lower() == b"bearer"

    async def _failed(self) -> dict[str, str]:
        names = list(self._checks)
        results = await asyncio.gather(*(_result(self._checks[name]) for name in names))
        failed = {name: why for name, why in zip(names, results, strict=True) if why}
        for name, why in failed.items():
            log.error("check failed", extra={"fields": {"check": name, "error": why}})
        return failed


async def _result(check: Check) -> str:
    """Return why the check failed, "" if it did not."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except OcgateError as error:
        return f"{type(error).__name__}: {error.detail or error}"
    except Exception as error:  # noqa: BLE001 - whatever is broken, the answer is "not ready"
        return f"{type(error).__name__}: {error}"
    return ""


def _is_verbose(scope: Scope) -> bool:
    return parse_qs(scope["query_string"].decode("latin-1")).get("verbose") == ["1"]
