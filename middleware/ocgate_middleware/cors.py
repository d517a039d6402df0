"""Let pages of other origins read answers: CORS, in front of authentication.

    app = CORSMiddleware(app, allow_origins=["https://app.example.com", "https://*.example.org"])

1. A preflight (`OPTIONS` with `Origin` and `Access-Control-Request-Method`) is answered here,
   204, without authentication, and never reaches the application. A refused one is answered
   with nothing but `Vary`.
2. Other answers, errors included, get `Access-Control-Allow-Origin` if the origin and the method
   are allowed. Requests are not refused: CORS is about who may read.
3. The application's own CORS headers are replaced, so that no value arrives twice;
   only the names that it exposes are added to ours.
4. `Vary: Origin` is added to the application's `Vary`.
5. `routes` gives path prefixes (whole segments) rules of their own; the longest fits.
6. Without `allow_origins` nobody is allowed, whatever the application would say. With
   `allow_origins=None` requests that no route fits pass untouched, preflights as well.

Deployment caveat: stand further out than authentication, and than the middleware that writes
error answers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.cors import (
    ALLOW_HEADERS,
    ALLOW_METHODS,
    MAX_AGE,
    PREFLIGHT_VARY,
    CORSRule,
    joined,
    tokens,
)
from ocgate.core.errors import ConfigError
from ocgate.core.targets import TARGET, Target, within
from ocgate_middleware.identify import record
from ocgate_middleware.response_headers import Edit, Header, edited

_ORIGIN = b"origin"
_METHOD = b"access-control-request-method"
_HEADERS = b"access-control-request-headers"
_EXPOSED = b"access-control-expose-headers"
_OURS = frozenset(
    {
        b"access-control-allow-credentials",
        b"access-control-allow-headers",
        b"access-control-allow-methods",
        b"access-control-allow-origin",
        b"access-control-allow-private-network",
        b"access-control-max-age",
        _EXPOSED,
        b"vary",
    }
)
"""Response headers that only we may send."""


class CORSMiddleware:
    """See the module docstring; the options are those of `CORSRule.of`.

    `routes` maps path prefixes to the `CORSRule` that holds there instead. Raises
    `ConfigError`, for instance for credentials together with the origin `*`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        allow_origins: Iterable[str] | None = (),
        allow_methods: Iterable[str] = ALLOW_METHODS,
        allow_headers: Iterable[str] = ALLOW_HEADERS,
        allow_credentials: bool = False,
        expose_headers: Iterable[str] = (),
        max_age: int | None = MAX_AGE,
        routes: Mapping[str, CORSRule] | None = None,
    ) -> None:
        self.app = app
        rule = CORSRule.of(
            allow_origins=allow_origins or (),
            allow_methods=allow_methods,
            allow_headers=allow_headers,
            allow_credentials=allow_credentials,
            expose_headers=expose_headers,
            max_age=max_age,
        )
        self._default = None if allow_origins is None else _Route.of(rule)
        prefixes = sorted(routes or {}, key=len, reverse=True)
        self._routes = [(_prefix(prefix), _Route.of((routes or {})[prefix])) for prefix in prefixes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or add what CORS needs to the answer."""
        route = self._route(scope) if scope["type"] == "http" else None
        if route is None:
            await self.app(scope, receive, send)
            return
        origins = _every(scope, _ORIGIN)
        edit = route.closed
        if origins:
            if scope["method"] == "OPTIONS" and (methods := _every(scope, _METHOD)):
                await _answer(scope, send, route.rule, origins, methods)
                return
            if len(origins) == 1:
                granted = route.rule.actual(origins[0].decode("latin-1"), scope["method"])
                edit = _replacing(route.rule, granted) if granted else edit
        scope, send = edited(scope, send, edit)
        await self.app(scope, receive, send)

    def _route(self, scope: Scope) -> "_Route | None":
        if self._routes:
            target: Target | None = scope.get(TARGET)
            path = scope["path"].encode("utf-8", "replace") if target is None else target.folded
            for prefix, route in self._routes:
                if within(path, prefix):
                    return route
        return self._default


@dataclass(frozen=True, slots=True)
class _Route:
    """A rule, and the edit for answers that nobody from elsewhere may read."""

    rule: CORSRule
    closed: Edit

    @classmethod
    def of(cls, rule: CORSRule) -> "_Route":
        return cls(rule, _replacing(rule, []))


async def _answer(
    scope: Scope, send: Send, rule: CORSRule, origins: list[bytes], methods: list[bytes]
) -> None:
    """Answer a preflight. One with several origins or methods is refused like any other."""
    headers = [(b"vary", PREFLIGHT_VARY)]
    if len(origins) == len(methods) == 1:
        names = b",".join(_every(scope, _HEADERS)).decode("latin-1")
        answer = rule.preflight(origins[0].decode("latin-1"), methods[0].decode("latin-1"), names)
        if isinstance(answer, str):
            record(scope, cors=answer)
        else:
            headers += answer
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _replacing(rule: CORSRule, granted: list[Header]) -> Edit:
    """Make an edit that puts our CORS headers in the place of those that are there."""
    ours = [name.encode("ascii") for name in rule.exposed] if granted else []
    alone = [*granted, (_EXPOSED, joined(ours))] if ours else list(granted)
    if not rule.origins.empty:
        alone.append((b"vary", b"Origin"))

    def edit(present: list[Header], present_names: set[bytes]) -> None:
        if _OURS.isdisjoint(present_names):
            present += alone
            present_names.update(name for name, _ in alone)
            return
        exposed = list[bytes]()
        varying = list[bytes]()
        kept = list[Header]()
        for name, value in present:
            lowered = name.lower()
            if lowered == _EXPOSED:
                exposed += tokens(value)
            elif lowered == b"vary":
                varying += tokens(value)
            elif lowered not in _OURS:
                kept.append((name, value))
        if b"*" in varying:
            varying = [b"*"]
        elif not rule.origins.empty:
            varying.append(b"Origin")
        if varying:
            kept.append((b"vary", joined(varying)))
        # With credentials a `*` of the application's is the name of no header.
        theirs = [name for name in exposed if name != b"*" or not rule.credentials]
        kept += granted
        if granted and (ours or theirs):
            kept.append((_EXPOSED, joined(ours, theirs)))
        present[:] = kept
        present_names -= _OURS
        present_names.update(name for name, _ in kept)

    return edit


def _every(scope: Scope, name: bytes) -> list[bytes]:
    return [value for key, value in scope["headers"] if key == name]


def _prefix(prefix: str) -> bytes:
    is_plain = prefix.isascii() and prefix.isprintable() and not set(prefix) & set(" #%?\\")
    if not prefix.startswith("/") or not is_plain:
        raise ConfigError(f"routes: {prefix!a} is not a path that begins with `/`")
    return prefix.encode("ascii")
