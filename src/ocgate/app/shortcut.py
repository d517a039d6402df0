"""The same question again: equal header fields are judged once a second.

A client that asks for one file after the other sends the same header fields each time. As long
as they are byte for byte the same, what the stack found out about them holds for one second:
who is asking, which fields go on, and what is added to the answer. The target is parsed and
routed for every request, and every request is counted and has an id of its own.

1. Only GET and HEAD without a body, without `OC-` parameters in the query, and without a field
   in `_SPECIAL`; only routes that need a principal, and only where one was found. While the
   access log is on, the whole stack looks at every request.
2. Equal means: method, scheme, and every field's name and value, in order; compared by a keyed
   hash. What an authenticator used up (`Authorization`) is not kept; the other fields are.
3. A password, account, role or file that changes counts a second later at the latest.

An authenticator that judges by more than header fields (a scope that names paths, say) has to
be asked every time: its requests must not come to `remember`.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocgate.app.dispatch import ENDPOINT, FOUND, Dispatch
from ocgate.core.errors import BadRequest
from ocgate.core.identity import PRINCIPAL, Principal
from ocgate.core.targets import TARGET, Target, parse_target
from ocgate.server.fields import FIELDS, Fields
from ocgate_middleware.access_log import CLIENT_LEFT, LOGGER, RequestObserver
from ocgate_middleware.costly import Verdicts
from ocgate_middleware.errors import ErrorMiddleware
from ocgate_middleware.request_id import REQUEST_ID, RequestIds
from ocgate_middleware.response_headers import EDITS, Edit, Header

SECONDS: Final = 1.0

_METHODS: Final = frozenset({"GET", "HEAD"})
_SPECIAL: Final = frozenset(
    {
        b"content-length",
        b"destination",
        b"expect",
        b"origin",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    }
)
_REQUEST_ID: Final = b"x-request-id"


@dataclass(frozen=True, slots=True)
class _Found:
    """What holds for equal header fields. `added` is what `edits` add where nothing is replaced."""

    principal: Principal
    headers: list[Header]
    edits: tuple[Edit, ...]
    added: list[Header]
    added_names: frozenset[bytes]
    written: Fields

    def edit(self, start: Message, request_id: bytes, *, written: bool) -> Message:
        """Return the start of an answer; `written` where the server takes fields in final form."""
        headers: list[Header] = start["headers"]
        own = (_REQUEST_ID, request_id)
        if not self.added_names.isdisjoint([name for name, _ in headers]):
            edited = [header for header in headers if header[0] != _REQUEST_ID]
            names = {name for name, _ in edited}
            for change in reversed(self.edits):
                change(edited, names)
            return {**start, "headers": [*edited, own]}
        if written:
            return {**start, "headers": [*headers, own], FIELDS: self.written}
        return {**start, "headers": [*headers, *self.added, own]}


class Shortcut:
    """Stands in front of the whole stack, which is `app`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        dispatch: Dispatch,
        ids: RequestIds,
        observe: RequestObserver,
        max_target: int,
        allow_encoded_slash: bool = False,
        size: int = 1024,
    ) -> None:
        self.app = app
        self._dispatch = dispatch
        self._ids = ids
        self._observe = observe
        self._max_target = max_target
        self._allow_encoded_slash = allow_encoded_slash
        self._found: Verdicts[_Found] = Verdicts(size=size)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve a request by what is known, or let the whole stack look at it.

        A plain function: one coroutine less to wake each time something happens.
        """
        if (
            scope["type"] != "http"
            or scope["method"] not in _METHODS
            or b"OC-" in scope["query_string"]
            or LOGGER.isEnabledFor(logging.INFO)
        ):
            return self.app(scope, receive, send)
        asked = f"{scope['method']} {scope['scheme']}".encode()
        key = self._found.key(b"\n".join((asked, *chain.from_iterable(scope["headers"]))))
        found = self._found.get(key)
        inner = None if found is None else self._inner(scope, found)
        if found is None or inner is None:
            scope = {**scope, FOUND: self._noting(key, scope["headers"])}
            return self.app(scope, receive, send)
        return self._serve(inner, receive, send, found)

    def _inner(self, scope: Scope, found: _Found) -> Scope | None:
        """Return the scope for the endpoint, or None where the whole stack has to look."""
        raw_path, query = scope["raw_path"], scope["query_string"]
        if len(raw_path) + len(query) > self._max_target:
            return None
        try:
            target = _target(raw_path, query, self._allow_encoded_slash)
        except BadRequest:
            return None
        choice = self._dispatch.choose(scope["method"], target)
        if choice is None or not choice.repeatable:
            return None
        return {
            **scope,
            "headers": found.headers,
            TARGET: target,
            PRINCIPAL: found.principal,
            ENDPOINT: choice.endpoint,
        }

    async def _serve(self, scope: Scope, receive: Receive, send: Send, found: _Found) -> None:
        request_id = self._ids.take()
        written = FIELDS in scope.get("extensions", ())
        status = 0

        def send_edited(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = found.edit(message, request_id, written=written)
            return send(message)

        scope[REQUEST_ID] = request_id.decode()
        observe = self._observe
        observe.request_started()
        begun = perf_counter()
        try:
            await scope[ENDPOINT](scope, receive, send_edited)
        except Exception as error:
            if status:
                raise
            await ErrorMiddleware(_raising(error))(scope, receive, send_edited)
        finally:
            observe.request_finished(scope["method"], status or CLIENT_LEFT, perf_counter() - begun)
            observe.credential_judged(found.principal.proven_by, "accepted", "")

    def _noting(self, key: bytes, asked: list[Header]) -> Callable[[Scope], None]:
        def note(scope: Scope) -> None:
            principal = scope.get(PRINCIPAL)
            if principal is None or not _SPECIAL.isdisjoint([name for name, _ in asked]):
                return
            headers = [header for header in scope["headers"] if header[0] != _REQUEST_ID]
            # the first edit is that of the request id, which is another one each time
            edits = tuple(scope[EDITS][1:])
            added: list[Header] = []
            names: set[bytes] = set()
            for change in reversed(edits):
                change(added, names)
            names.add(_REQUEST_ID)
            written = Fields.of(added)
            found = _Found(principal, headers, edits, added, frozenset(names), written)
            self._found.remember(key, found, seconds=SECONDS)

        return note


@lru_cache(maxsize=512)
def _target(raw_path: bytes, query: bytes, allow_encoded_slash: bool) -> Target:
    return parse_target(raw_path, query, allow_encoded_slash=allow_encoded_slash)


def _raising(error: Exception) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    return app
