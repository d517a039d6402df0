"""Identify the caller by a presigned URL (`OC-Signature` in the query).

    app = PresignedURLMiddleware(app, keys=signing_keys, accounts=accounts,
                                 public_origin="https://cloud.example")

1. A request without `OC-Signature` passes as it came.
2. A URL that was verified before is asked for again at the price of a look-up, until it
   expires, its key ends, or its user is disabled.
3. Otherwise what costs nothing is checked first: form, method, dates. Then the signature,
   over each text that the client may have signed (`ocgate.core.signed_text`), at most 8
   derivations, in a thread.
4. A signature that fits nothing is remembered for seconds and counts against the client's
   address and the user name. Who failed too often is refused with the reason `limited`
   before anything is computed. One address reaches its own limit before that of the name,
   and an address from which this user's URLs were right is not touched by the latter: so
   nobody locks a user out from afar.

The `OC-*` parameters are consumed. The inner app gets the path as it came and the query
without them, every other pair byte for byte, and no header that asks for another method than
the one that was signed. Where nobody was identified here, because the request has no signature,
a wrong one, or was identified further out, the request stays as it is.

Deployment caveat: the signature covers scheme and host as the client wrote them. Set
`public_origin`, or have the proxy in front pass `Host` on. Behind a proxy that is not trusted
to name the client's address, all clients share one limit.

Source: opencloud-wire §3 (recorded), ocis#10180, opencloud#1361.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Protocol
from urllib.parse import quote

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.errors import BadRequest, ConfigError
from ocgate.core.identity import PRINCIPAL, Account, Accounts, Outcome, Principal, Rejection
from ocgate.core.presigned import MAX_EXPIRES, PresignedURL, Rules, find_match
from ocgate.core.signed_text import Candidate, candidates, origins, without_signature
from ocgate.core.targets import TARGET, Target
from ocgate_middleware.costly import (
    LONGEST_NAME,
    FailureLimit,
    LimitReached,
    Verdicts,
    client_name,
    limited_name,
    run_costly,
)
from ocgate_middleware.identify import identified

FORWARDED_ORIGIN = "ocgate.forwarded_origin"
"""Scope key of `scheme://host` (bytes) as a trusted proxy said it."""

TARGET_ORIGIN = "ocgate.target_origin"
"""Scope key of `scheme://authority` (bytes) of an absolute-form target: it is what was signed."""

MISMATCH_SECONDS = 10.0
TRUST_SECONDS = 3600.0
"""For so long an address stands well with a user name after a right signature."""

_utc_now = partial(datetime.now, UTC)
_ORIGIN = re.compile(r"(https?)://([A-Za-z0-9._~:\[\]-]+)(?:/.*)?", re.IGNORECASE)
_OTHER_METHOD = frozenset((b"x-http-method", b"x-http-method-override", b"x-method-override"))
_SCHEMES = {"ws": "http", "wss": "https"}


class SigningKeys(Protocol):
    """The keys of a user id, as `ocgate.stores.signing_keys.SigningKeys` finds them."""

    async def find(self, user_id: str, *, fresh: bool = False) -> tuple[bytes, ...]:
        """Return the usable keys, read from the store this moment if `fresh`."""
        ...


@dataclass(frozen=True, slots=True)
class _Request:
    """The part of a request that decides about its signature."""

    method: str
    path: bytes
    query: bytes
    host: bytes
    scheme: str
    forwarded: bytes

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> "_Request":
        scheme: str = scope["scheme"]
        return cls(
            method=scope.get("method", "GET"),
            path=scope.get(TARGET_ORIGIN, b"")
            + (scope.get("raw_path") or quote(scope["path"]).encode()),
            query=scope["query_string"],
            host=next((value for name, value in scope["headers"] if name == b"host"), b""),
            scheme=_SCHEMES.get(scheme, scheme),
            forwarded=scope.get(FORWARDED_ORIGIN) or b"",
        )

    @property
    def seen_at(self) -> tuple[bytes, bytes, bytes]:
        return self.host, self.scheme.encode(), self.forwarded


@dataclass(frozen=True, slots=True)
class _Verified:
    credential: str
    key: bytes
    until: datetime


class PresignedURLMiddleware:
    """See the module docstring; raises `ConfigError` for options that make no sense.

    `max_expires` and `leeway` are seconds, `remembered` is a number of URLs, `now` gives an
    aware datetime. With `head_as_get` a HEAD request may use a URL signed for GET.
    """

    name = "presigned_url"
    challenge: bytes | None = None
    """There is nothing a client could be asked for."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: SigningKeys,
        accounts: Accounts,
        public_origin: str | None = None,
        allowed_methods: Iterable[str] = ("GET", "HEAD", "PUT"),
        head_as_get: bool = False,
        max_expires: int = MAX_EXPIRES,
        leeway: int = 60,
        now: Callable[[], datetime] = _utc_now,
        remembered: int = 4096,
        client_failures: FailureLimit | None = None,
        credential_failures: FailureLimit | None = None,
    ) -> None:
        self.app = app
        self._keys = keys
        self._accounts = accounts
        self._public = _origin(public_origin) if public_origin else None
        self._rules = Rules(frozenset(allowed_methods), head_as_get, max_expires, leeway)
        self._now = now
        # A failure costs 8 derivations at most, 70 ms: one address may burn 7 % of a processor.
        self._client_failures = client_failures or FailureLimit(attempts=20, seconds=20)
        self._credential_failures = credential_failures or FailureLimit(attempts=60, seconds=20)
        # Two memories, so that failures, which anybody can make, never push out successes.
        self._verified: Verdicts[_Verified] = Verdicts(size=remembered)
        self._mismatched: Verdicts[bool] = Verdicts(size=remembered)
        self._checks: Verdicts[Principal | Rejection] = Verdicts()
        self._fitted: Verdicts[tuple[str, str]] = Verdicts(size=256)
        self._trusted: Verdicts[bool] = Verdicts(size=remembered)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the principal in its scope and without what proved it."""
        inner = await identified(scope, self)
        if PRINCIPAL in inner and PRINCIPAL not in scope:
            query = without_signature(scope["query_string"])
            headers = [h for h in inner["headers"] if h[0] not in _OTHER_METHOD]
            inner = {**inner, "query_string": query, "headers": headers}
            target: Target | None = scope.get(TARGET)
            if target is not None:
                inner[TARGET] = replace(target, query=query)
        await self.app(inner, receive, send)

    async def authenticate(self, scope: Mapping[str, Any], /) -> Outcome:
        """Judge the signature in the query. Raises `StoreError` and `Overloaded`."""
        if b"OC-Signature=" not in scope["query_string"]:
            return None
        request = _Request.of(scope)
        name = self._verified.key(
            request.method.encode(), request.path, request.query, *request.seen_at
        )
        known = self._verified.get(name)
        if known is not None:
            outcome = await self._still_right(known)
            if outcome is not None:
                return outcome
        try:
            url = PresignedURL.parse(request.path, request.query, host=request.host)
        except BadRequest:
            return Rejection("malformed")
        if url is None:
            return None
        for problem in url.problems(method=request.method, now=self._now(), rules=self._rules):
            return _rejection(problem.reason, url)
        client = client_name(scope)
        if self._limited(client, url.credential, excused=self._is_trusted(client, url.credential)):
            return _rejection("limited", url)
        return await self._checks.once(name, lambda: self._check(name, url, request, client))

    async def _still_right(self, known: _Verified) -> Outcome:
        if self._now() >= known.until:
            return Rejection("expired", known.credential)
        account = await self._account(known.credential)
        if account is None:
            return Rejection("unknown_user", known.credential)
        if known.key in await self._keys.find(account.id):
            return Principal(account, self.name)
        return None

    async def _check(
        self, name: bytes, url: PresignedURL, request: _Request, client: str
    ) -> Principal | Rejection:
        account = await self._account(url.credential)
        if account is None:
            return self._refused("unknown_user", url, client)
        keys = await self._keys.find(account.id)
        if self._mismatched.get(self._mismatched.key(name, *keys)):
            return _rejection("signature_mismatch", url)
        # The key may have been made elsewhere within this second, and used at once.
        keys = await self._keys.find(account.id, fresh=True)
        if not keys:
            return self._refused("no_key", url, client)
        seen_at = self._fitted.key(*request.seen_at)
        texts = candidates(
            url.path,
            url.canonical_query,
            self._origins(url, request),
            prefer=self._fitted.get(seen_at),
        )
        excused = self._is_trusted(client, url.credential)

        def match_unless_limited() -> tuple[Candidate, bytes] | None:
            if self._limited(client, url.credential, excused=excused):
                raise LimitReached
            match = find_match(url.signature, texts, keys)
            if match is None:
                self._count_failure(url, client)
            return match

        try:
            match = await run_costly(match_unless_limited, client=client)
        except LimitReached:
            return _rejection("limited", url)
        if match is None:
            mismatch = self._mismatched.key(name, *keys)
            self._mismatched.remember(mismatch, value=True, seconds=MISMATCH_SECONDS)
            return _rejection("signature_mismatch", url)
        candidate, key = match
        left = url.seconds_left(now := self._now())
        until = now + timedelta(seconds=left)
        self._verified.remember(name, _Verified(url.credential, key, until), seconds=left)
        self._fitted.remember(seen_at, (candidate.origin, candidate.form), seconds=TRUST_SECONDS)
        self._trusted.remember(
            self._pair(client, url.credential), value=True, seconds=TRUST_SECONDS
        )
        return Principal(account, self.name)

    async def _account(self, credential: str) -> Account | None:
        account = await self._accounts.find_by_name(credential)
        return account if account is not None and account.enabled else None

    def _origins(self, url: PresignedURL, request: _Request) -> tuple[tuple[str, bytes], ...]:
        if url.origin is not None:
            return (("target", url.origin),)
        return origins(
            public=self._public,
            host=request.host,
            scheme=request.scheme,
            forwarded=request.forwarded or None,
        )

    def _limited(self, client: str, credential: str, *, excused: bool) -> bool:
        return self._client_failures.blocked(client) or (
            not excused and self._credential_failures.blocked(limited_name(credential))
        )

    def _refused(self, reason: str, url: PresignedURL, client: str) -> Rejection:
        self._count_failure(url, client)
        return _rejection(reason, url)

    def _count_failure(self, url: PresignedURL, client: str) -> None:
        self._client_failures.failed(client)
        self._credential_failures.failed(limited_name(url.credential))

    def _is_trusted(self, client: str, credential: str) -> bool:
        return self._trusted.get(self._pair(client, credential)) is not None

    def _pair(self, client: str, credential: str) -> bytes:
        return self._trusted.key(client.encode(), credential.encode())


def _rejection(reason: str, url: PresignedURL) -> Rejection:
    return Rejection(reason, url.credential[:LONGEST_NAME])


def _origin(url: str) -> bytes:
    found = _ORIGIN.fullmatch(url)
    if found is None:
        raise ConfigError(f"The public URL {url!r} has no origin of the form https://host.")
    return f"{found[1].lower()}://{found[2]}".encode()
