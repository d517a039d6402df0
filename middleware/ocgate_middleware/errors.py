"""Turn what was raised further in into one clear answer.

    app = ErrorMiddleware(app)

An `OcgateError` becomes its status, with `Retry-After` where it has one, and its sentence:
as an OCS envelope below `/ocs/`, as DAV XML for WebDAV methods, as plain text otherwise. Any
other exception is a 500 that says nothing but the request's id; the stack trace is in the log.
`detail` goes to the log only.

Once the answer has begun nothing can be taken back: the exception goes on to the server,
which breaks the connection, so that half an answer never looks whole.

Place it inside of the middlewares that every answer needs (access log, request id, CORS,
security headers) and outside of the rest.
"""

import json
import logging
from collections.abc import Awaitable
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocgate.core.dav_error import DAV_ERROR_TYPE, DAV_METHODS, dav_error
from ocgate.core.errors import OcgateError
from ocgate_middleware.answers import Header, answer
from ocgate_middleware.identify import record
from ocgate_middleware.request_id import REQUEST_ID

log = logging.getLogger("ocgate.errors")

_SERVER_ERROR = 500
_OCS_V1 = {401: 997, 404: 998, 500: 996}


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
    if scope["path"].startswith("/ocs/"):
        return _ocs_error(scope, status, sentence)
    return b"text/plain; charset=utf-8", f"{sentence}\n".encode()


def _ocs_error(scope: Scope, status: int, sentence: str) -> tuple[bytes, bytes]:
    """Return the envelope: XML unless `format` asks for something else, as recorded."""
    v1 = scope["path"].startswith("/ocs/v1.php/")
    code = _OCS_V1.get(status, status) if v1 else status
    query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=None)
    if query.get("format", ["xml"])[0] != "xml":
        meta = {"status": "error", "statuscode": code, "message": sentence}
        return b"application/json", json.dumps({"ocs": {"meta": meta}}).encode() + b"\n"
    return b"application/xml; charset=utf-8", (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<ocs><meta><status>error</status><statuscode>{code}</statuscode>"
        f"<message>{escape(sentence)}</message></meta></ocs>"
    ).encode()
