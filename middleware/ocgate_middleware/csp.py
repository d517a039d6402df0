"""Send a Content-Security-Policy with every answer.

    app = CSPMiddleware(app, policy={"default-src": ["'self'"], "img-src": ["'self'", "data:"]})

1. Every HTTP answer gets the policy: pages, errors, and the answers of middlewares further in.
2. A policy that the application sends itself stays in force beside it (`existing="combine"`):
   browsers enforce both, so neither is weakened, such as the `default-src 'none'` that ownCloud
   sends with downloads. Both stand in one header. `"replace"` drops the application's policy,
   `"keep"` prefers it.
3. `report_only` is sent as `Content-Security-Policy-Report-Only`, beside the policy or alone.
4. `$NONCE` in a policy becomes a fresh `'nonce-…'` for each response; the application finds it
   in `scope["ocgate.csp_nonce"]` and writes it into its `<script nonce=…>`.

Deployment caveat: error answers have the policy only if the middleware that writes them stands
further in. A page with a nonce must not be cached (`Cache-Control: no-store`).
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, get_args

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.csp import NONCE, Policy
from ocgate.core.errors import ConfigError
from ocgate_middleware.response_headers import Edit, Header, edited

CSP_NONCE = "ocgate.csp_nonce"
"""Scope key of this response's nonce (str); absent when no policy uses one."""

Existing = Literal["combine", "replace", "keep"]
PolicyLike = Policy | str | Mapping[str, str | Sequence[str] | None]


class CSPMiddleware:
    """See the module docstring.

    `policy` and `report_only` are a `Policy`, the text of a header, or values by directive.
    Raises `ConfigError` for a policy that is broken.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: PolicyLike | None = None,
        report_only: PolicyLike | None = None,
        existing: Existing = "combine",
    ) -> None:
        if existing not in get_args(Existing):
            raise ConfigError(f"existing is combine, replace or keep, not {existing!a}")
        self.app = app
        self._existing: Existing = existing
        self._policies = [
            (name, _policy(given))
            for name, given in (
                (b"content-security-policy", policy),
                (b"content-security-policy-report-only", report_only),
            )
            if given is not None
        ]
        if not self._policies:
            raise ConfigError("a policy is missing: policy, report_only or both")
        self._has_nonce = any(policy.has_nonce for _, policy in self._policies)
        self._edit = _adding(_headers(self._policies), existing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the policy to the answer of an HTTP request."""
        if scope["type"] == "http":
            edit = self._edit
            if self._has_nonce:
                nonce = secrets.token_urlsafe(16)
                edit = _adding(_headers(self._policies, nonce), self._existing)
                scope = {**scope, CSP_NONCE: nonce}
            scope, send = edited(scope, send, edit)
        await self.app(scope, receive, send)


def _policy(policy: PolicyLike) -> Policy:
    if isinstance(policy, Policy):
        return policy
    return Policy.parse(policy) if isinstance(policy, str) else Policy.of(policy)


def _headers(policies: Iterable[tuple[bytes, Policy]], nonce: str = "") -> list[Header]:
    return [
        (name, policy.header.replace(NONCE, f"'nonce-{nonce}'").encode("ascii"))
        for name, policy in policies
    ]


def _adding(ours: Sequence[Header], existing: Existing) -> Edit:
    names = frozenset(name for name, _ in ours)

    def edit(present: list[Header], present_names: set[bytes]) -> None:
        if names.isdisjoint(present_names):
            present += ours
            present_names |= names
            return
        theirs = [(name.lower(), value) for name, value in present if name.lower() in names]
        present[:] = [header for header in present if header[0].lower() not in names]
        for name, policy in ours:
            sent = [value for key, value in theirs if key == name and value.strip()]
            if existing == "replace" or not sent:
                present.append((name, policy))
            elif existing == "keep":
                present.append((name, b", ".join(sent)))
            else:
                # A list of policies in one header means the same as several headers.
                present.append((name, b", ".join(dict.fromkeys((policy, *sent)))))

    return edit
