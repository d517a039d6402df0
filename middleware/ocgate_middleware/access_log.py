"""One line a request in the family's keys, and its numbers for the metrics.

    app = AccessLogMiddleware(app, observe=metrics)

The line (logger `ocgate.access`, level info, message `access-log`) has `proto`, `request-id`,
`remote-addr`, `method`, `status`, `path`, `duration` (milliseconds), `bytes` (of the answer's
body), then `user`, `authenticator` and `reason` where they are known, and `aborted` when the
answer ended early. It never has the query. Middlewares further in add to it with
`identify.record`; what they add wins, so whoever takes the connection over (a WebSocket
tunnel) records its own `status`.

A client that left before the answer began is logged with status 499, as in nginx. Outermost
in the stack: it sees the answer as the client does. With the level above info and nobody
observing, requests pass untouched.
"""

import logging
from collections.abc import Awaitable
from time import perf_counter
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocgate_middleware.identify import LOG_FIELDS

CLIENT_LEFT = 499

LOGGER = logging.getLogger("ocgate.access")


class RequestObserver(Protocol):
    """Counts requests, e.g. `ocgate.server.metrics.Metrics`."""

    def request_started(self) -> None:
        """Count one more request in flight."""
        ...

    def request_finished(self, method: str, status: int, seconds: float, /) -> None:
        """Count one less, with how it ended."""
        ...

    def credential_judged(self, scheme: str, result: str, reason: str, /) -> None:
        """Count an authenticator's decision: `accepted` or `refused`, and why."""
        ...


class AccessLogMiddleware:
    """See the module docstring."""

    def __init__(self, app: ASGIApp, *, observe: RequestObserver | None = None) -> None:
        self.app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and write it down when it is over."""
        observe = self._observe
        if scope["type"] != "http" or not (observe or LOGGER.isEnabledFor(logging.INFO)):
            await self.app(scope, receive, send)
            return
        line: dict[str, Any] = {}
        status = 0
        size = 0
        complete = False

        def send_counted(message: Message) -> Awaitable[None]:
            nonlocal status, size, complete
            kind = message["type"]
            if kind == "http.response.body":
                size += len(message.get("body", b""))
                complete = not message.get("more_body", False)
            elif kind == "http.response.start":
                status = message["status"]
            return send(message)

        failed = False
        begun = perf_counter()
        if observe:
            observe.request_started()
        try:
            await self.app({**scope, LOG_FIELDS: line}, receive, send_counted)
        except Exception:
            failed = True
            raise
        finally:
            seconds = perf_counter() - begun
            # The server answers 500 when the application fails before it has answered.
            status = line.get("status") or status or (500 if failed else CLIENT_LEFT)
            if observe:
                observe.request_finished(scope["method"], status, seconds)
                _observe_credential(observe, line)
            if LOGGER.isEnabledFor(logging.INFO):
                fields = _fields(scope, line, status, size, seconds)
                if not complete and "status" not in line:
                    fields["aborted"] = True
                LOGGER.info("access-log", extra={"fields": fields})


def _fields(
    scope: Scope, line: dict[str, Any], status: int, size: int, seconds: float
) -> dict[str, Any]:
    client = scope.get("client")
    return {
        "proto": f"HTTP/{scope.get('http_version', '1.1')}",
        "request-id": "",
        "remote-addr": client[0] if client else "",
        "method": scope["method"],
        "status": status,
        "path": scope["path"],
        "duration": round(seconds * 1000, 3),
        "bytes": size,
        **line,
    }


def _observe_credential(observe: RequestObserver, line: dict[str, Any]) -> None:
    scheme = line.get("authenticator")
    if scheme is not None:
        reason = line.get("reason", "")
        observe.credential_judged(scheme, "refused" if reason else "accepted", reason)
