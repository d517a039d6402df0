"""Give every request an id that stands in the log, at the backend and in the answer.

    app = RequestIdMiddleware(app)

A client's own `X-Request-Id` is kept if there is exactly one, of 1 to 128 letters, digits and
`. _ ~ : / + = @ -`; otherwise the request gets a fresh one. It is `scope["ocgate.request_id"]`
(str), the request's `X-Request-Id` for whoever stands further in, and the answer's.
"""

import itertools
import os
import re

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate_middleware.identify import record
from ocgate_middleware.response_headers import Header, edited

REQUEST_ID = "ocgate.request_id"
"""Scope key of the request's id (str)."""

_NAME = b"x-request-id"
_SAFE = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")


class RequestIds:
    """Ids that no other request has: a random prefix for the process, and a number."""

    def __init__(self) -> None:
        # Two processes draw the same prefix once in 2**32 starts (birthday bound on 64 bits).
        self._prefix = os.urandom(8).hex().encode() + b"-"
        self._count = itertools.count(1)

    def take(self) -> bytes:
        """Return the next one."""
        return self._prefix + b"%06d" % next(self._count)


class RequestIdMiddleware:
    """See the module docstring. Several may share their `ids`."""

    def __init__(self, app: ASGIApp, *, ids: RequestIds | None = None) -> None:
        self.app = app
        self._ids = ids or RequestIds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its id."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers: list[Header] = scope["headers"]
        given = [value for name, value in headers if name == _NAME]
        if len(given) == 1 and _SAFE.fullmatch(given[0]):
            request_id = given[0]
        else:
            request_id = self._ids.take()
            if given:
                headers = [header for header in headers if header[0] != _NAME]
            headers = [*headers, (_NAME, request_id)]
        text = request_id.decode()
        record(scope, **{"request-id": text})

        def edit(present: list[Header], names: set[bytes]) -> None:
            if _NAME in names:
                present[:] = [h for h in present if h[0].lower() != _NAME]
            present.append((_NAME, request_id))
            names.add(_NAME)

        inner, send = edited(scope, send, edit)
        if inner is scope:
            inner = {**scope}
        inner["headers"] = headers
        inner[REQUEST_ID] = text
        await self.app(inner, receive, send)
