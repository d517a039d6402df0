"""`GET /ocs/v1.php|v2.php/cloud/user/signing-key`: the key with which a user signs URLs.

The answer is the one of the family (recorded: opencloud `01_signing_key.http`), except for
the stray word `value` in its `Cache-Control`. Each call starts the life of the key anew.

    app = SigningKeyEndpoint(keys=signing_keys)

Stands behind `RequirePrincipalMiddleware`: without a principal in the scope it raises.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Protocol

from starlette.types import Receive, Scope, Send

import ocgate
from ocgate.core.identity import principal_of
from ocgate.core.ocs import (
    CONTENT_TYPES,
    NOT_FOUND,
    Envelope,
    Version,
    failure,
    format_of,
    http_status,
    parse_path,
    success,
)

PATH = b"/cloud/user/signing-key"

_utc_now = partial(datetime.now, UTC)

_FIXED = [
    (b"cache-control", b"no-cache, no-store, max-age=0, must-revalidate"),
    (b"expires", b"Thu, 01 Jan 1970 00:00:00 GMT"),
    (b"vary", b"Origin"),
    (b"x-ocs-version", ocgate.__version__.encode()),
]


class SigningKeys(Protocol):
    """The keys of a user id, as `ocgate.stores.signing_keys.SigningKeys` makes them."""

    async def find_or_create(self, user_id: str) -> bytes:
        """Return the one key of that user."""
        ...


class SigningKeyEndpoint:
    """See the module docstring. Raises `StoreError` while the store does not answer."""

    def __init__(self, *, keys: SigningKeys, now: Callable[[], datetime] = _utc_now) -> None:
        self._keys = keys
        self._now = now

    async def __call__(
        self,
        scope: Scope,
        receive: Receive,  # noqa: ARG002 - a GET has no body that would mean anything
        send: Send,
    ) -> None:
        """Answer one request."""
        version, path = parse_path(scope["raw_path"]) or (2, b"")
        headers = [*_FIXED, (b"ocs-api-version", b"%d" % version)]
        if path.removesuffix(b"/") != PATH:
            await self._answer(scope, send, headers, version, failure(NOT_FOUND, "not found"))
        elif scope["method"] != "GET":
            headers.append((b"allow", b"GET"))
            await self._send(send, 405, headers, b"")
        else:
            user_id = principal_of(scope).account.id
            key = await self._keys.find_or_create(user_id)
            data = {"user": user_id, "signing-key": key.decode()}
            await self._answer(scope, send, headers, version, success(version, data))

    async def _answer(
        self,
        scope: Scope,
        send: Send,
        headers: list[tuple[bytes, bytes]],
        version: Version,
        envelope: Envelope,
    ) -> None:
        form = format_of(scope["query_string"])
        headers.append((b"content-type", CONTENT_TYPES[form]))
        status = http_status(version, envelope.statuscode)
        await self._send(send, status, headers, envelope.encoded(form))

    async def _send(
        self, send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> None:
        modified = format_datetime(self._now().astimezone(UTC), usegmt=True).encode()
        headers += [(b"last-modified", modified), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
