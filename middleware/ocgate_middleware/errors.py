"""Turn what was raised further in into one clear answer.

    app = ErrorMiddleware(app)

An `OcgateError` becomes its status, with `Retry-After` where it has one, and its sentence:
as DAV XML for WebDAV methods, as an OCS envelope below `/ocs/v1.php` and `/ocs/v2.php`, as
plain text otherwise. Any other exception is a 500 that says nothing but the request's id; the
stack trace is in the log.
`detail` goes to the log only.

Once the answer has begun nothing can be taken back: the exception goes on to the server,
which breaks the connection, so that half an answer never looks whole.

Place it inside of the middlewares that every answer needs (access log, request id, CORS,
security headers) and outside of the rest.
"""

import logging
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocgate.core.dav_error import DAV_ERROR_TYPE, DAV_METHODS, dav_error
from ocgate.core.errors import OcgateError
from ocgate.core.ocs import CONTENT_TYPES, NOT_FOUND, UNAUTHORISED, failure, format_of, parse_path
from ocgate_middleware.answers import Header, answer
from ocgate_middleware.identify import record
from ocgate_middleware.request_id import REQUEST_ID

log = logging.getLogger("ocgate.errors")

_SERVER_ERROR = 500
_OCS_V1 = {401: UNAUTHORISED, 404: NOT_FOUND, 500: 996}


class ErrorMiddleware:
    """See the module docstring."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and answer if that raises."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        def send_noted(message: Message) -> Awaitable[None]:
            nonlocal begun
            begun = True
            return send(message)

        try:
            await self.app(scope, receive, send_noted)
        except OcgateError as error:
            if begun:
                raise
            _log_refusal(scope, error)
            retry = error.retry_after
            await _answer(
                scope, receive, send, status=error.status, sentence=str(error), retry=retry
            )
        except Exception:
            if begun:
                raise
            fields = {"request-id": scope.get(REQUEST_ID, ""), "path": scope["path"]}
            log.exception("unexpected error", extra={"fields": fields})
            sentence = "Something went wrong on the server."
            if REQUEST_ID in scope:
                sentence += f" The request's id is {scope[REQUEST_ID]}."
            await _answer(scope, receive, send, status=500, sentence=sentence)


def _log_refusal(scope: Scope, error: OcgateError) -> None:
    record(scope, error=type(error).__name__)
    level = logging.ERROR if error.status >= _SERVER_ERROR else logging.DEBUG
    if log.isEnabledFor(level):
        fields = {
            "error": type(error).__name__,
            "detail": error.detail,
            "status": error.status,
            "request-id": scope.get(REQUEST_ID, ""),
            "method": scope["method"],
            "path": scope["path"],
        }
        log.log(level, str(error), extra={"fields": fields})


async def _answer(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    status: int,
    sentence: str,
    retry: int | None = None,
) -> None:
    headers: list[Header] = [(b"cache-control", b"no-store")]
    if retry is not None:
        headers.append((b"retry-after", b"%d" % retry))
    content_type, body = _body(scope, status, sentence)
    headers.append((b"content-type", content_type))
    await answer(scope, receive, send, status=status, headers=headers, body=body)


def _body(scope: Scope, status: int, sentence: str) -> tuple[bytes, bytes]:
    if scope["method"] in DAV_METHODS:
        return DAV_ERROR_TYPE, dav_error(status, sentence)
    ocs = parse_path(scope["raw_path"])
    if ocs is None:
        return b"text/plain; charset=utf-8", f"{sentence}\n".encode()
    # The HTTP status stays what it is in version 1 too: a 503 must look like one to a client.
    code = _OCS_V1.get(status, status) if ocs[0] == 1 else status
    form = format_of(scope["query_string"])
    return CONTENT_TYPES[form], failure(code, sentence).encoded(form)
