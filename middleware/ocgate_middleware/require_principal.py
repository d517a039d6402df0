"""Let nobody in whom no authenticator knows.

    app = RequirePrincipalMiddleware(app, public=["/.well-known"])
    app = BasicAuthMiddleware(app, users=users)   # authenticators stand outside of it

A request passes if any of the following hold:

1. an authenticator put a principal into the scope;
2. the matched route is public: `scope["ocgate.public"]` is True;
3. its path lies within one of the `public` prefixes, on whole segments and in every way in
   which a file server may read that path.

Everybody else gets a 401 with each challenge that the authenticators have collected, once;
requests of scripts (`X-Requested-With: XMLHttpRequest`) get none, because a browser would ask
for a password. WebDAV methods get the error in XML, others an empty body. The reason of a
refusal stays in the log.

Deployment caveat: `OPTIONS` is a request like any other here. CORS preflights are answered by
`CORSMiddleware` in front. Where only presigned URLs are accepted there is nothing to
challenge for, so the 401 has no `WWW-Authenticate`.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.dav_error import DAV_ERROR_TYPE, DAV_METHODS, dav_error
from ocgate.core.errors import BadRequest, ConfigError
from ocgate.core.identity import CHALLENGES, PRINCIPAL, REJECTION
from ocgate.core.targets import TARGET, Target, parse_target, readings, within
from ocgate_middleware.answers import Header, answer
from ocgate_middleware.identify import record

PUBLIC = "ocgate.public"
"""Scope key that is True where the matched route is open to everybody."""

_DAV_BODY = dav_error(401, "Authentication error")
_NO_STORE = (b"cache-control", b"no-store")


class RequirePrincipalMiddleware:
    """See the module docstring.

    `public` prefixes start with a slash, hold no escapes, and match whole segments: `/a` opens
    `/a` and `/a/b`, not `/ab`. Raises `ConfigError` for others.
    """

    def __init__(self, app: ASGIApp, *, public: Iterable[str] = ()) -> None:
        self.app = app
        self._public = tuple(_prefix(path) for path in public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 (a WebSocket is closed before it opens)."""
        if PRINCIPAL in scope or self._is_open(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            if REJECTION not in scope:
                record(scope, reason="no_credential")
            await _refuse(scope, receive, send)
        else:
            await _refuse_websocket(scope, receive, send)

    def _is_open(self, scope: Scope) -> bool:
        if scope["type"] not in ("http", "websocket") or scope.get(PUBLIC) is True:
            return True
        return bool(self._public) and self._is_public(scope)

    def _is_public(self, scope: Scope) -> bool:
        target = scope.get(TARGET)
        if not isinstance(target, Target):
            try:
                target = parse_target(scope["raw_path"], scope["query_string"])
            except BadRequest:
                return False
        # Each reading must lie within the same prefix: nobody else may read it as private.
        paths = readings(target)
        return any(all(within(path, prefix) for path in paths) for prefix in self._public)


def _prefix(path: str) -> bytes:
    try:
        target = parse_target(path.encode("ascii"), b"")
    except (BadRequest, UnicodeEncodeError):
        raise ConfigError(f"public path {path!r} is not a plain path") from None
    if target.folded != target.raw_path or "%" in path or ";" in path:
        raise ConfigError(f"public path {path!r} is not a plain path")
    return target.folded


def _challenges(scope: Scope) -> list[Header]:
    for name, value in scope["headers"]:
        if name == b"x-requested-with" and value.lower() == b"xmlhttprequest":
            return []
    collected: tuple[bytes, ...] = scope.get(CHALLENGES, ())
    return [(b"www-authenticate", challenge) for challenge in dict.fromkeys(collected)]


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [*_challenges(scope), _NO_STORE]
    body = b""
    if scope["method"] in DAV_METHODS:
        headers.append((b"content-type", DAV_ERROR_TYPE))
        body = _DAV_BODY
    await answer(scope, receive, send, status=401, headers=headers, body=body)


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    if (await receive())["type"] != "websocket.connect":
        return
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})  # RFC 6455 §7.4.1: policy violation
        return
    headers = [*_challenges(scope), _NO_STORE, (b"content-length", b"0")]
    await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
    await send({"type": "websocket.http.response.body"})
