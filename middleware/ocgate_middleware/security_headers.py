"""Send the response headers that make browsers careful.

    app = SecurityHeadersMiddleware(app, frame_options="DENY", xss_protection=None)

1. The defaults are the set that oCIS and OpenCloud send (recorded: 17_csp_cases).
2. An option that is None is not sent; what the application sends itself stays then.
3. A header that is sent replaces the application's own, so that it arrives once;
   `existing="keep"` prefers the application's.
4. `Strict-Transport-Security` is sent only when the request came over TLS.

Deployment caveat: behind a proxy that ends TLS, `scope["scheme"]` must be what the client used;
a middleware for forwarded headers (or uvicorn's `--proxy-headers`) further out sets it.
"""

import re
from collections.abc import Sequence
from typing import Literal, get_args

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.errors import ConfigError
from ocgate_middleware.response_headers import Edit, Header, edited, setting

Existing = Literal["replace", "keep"]

_REFERRER_POLICY = (
    "no-referrer|no-referrer-when-downgrade|origin|origin-when-cross-origin|same-origin"
    "|strict-origin|strict-origin-when-cross-origin|unsafe-url"
)
_OPENER_POLICY = "unsafe-none|same-origin-allow-popups|same-origin|noopener-allow-popups"
_FORMS = {
    "content_type_options": ("x-content-type-options", "nosniff"),
    "frame_options": ("x-frame-options", "DENY|SAMEORIGIN"),
    "referrer_policy": (
        "referrer-policy",
        f"(?:{_REFERRER_POLICY})(?:, ?(?:{_REFERRER_POLICY}))*",
    ),
    "permitted_cross_domain_policies": (
        "x-permitted-cross-domain-policies",
        "none|master-only|by-content-type|by-ftp-filename|all|none-this-response",
    ),
    "robots_tag": ("x-robots-tag", r"[\w:, -]*\w"),
    "xss_protection": ("x-xss-protection", r"0|1(?:; ?mode=block)?"),
    "permissions_policy": ("permissions-policy", r"[a-z][!-~]*(?: [!-~]+)*"),
    "opener_policy": ("cross-origin-opener-policy", _OPENER_POLICY),
    "embedder_policy": ("cross-origin-embedder-policy", "unsafe-none|require-corp|credentialless"),
    "resource_policy": ("cross-origin-resource-policy", "same-site|same-origin|cross-origin"),
    "strict_transport_security": (
        "strict-transport-security",
        "(?i:max-age=[0-9]{1,10}(?:; ?(?:includeSubDomains|preload)){0,2})",
    ),
}
"""Header and accepted form of every option."""


class SecurityHeadersMiddleware:
    """See the module docstring. Raises `ConfigError` for a value that its header does not know."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        content_type_options: str | None = "nosniff",
        frame_options: str | None = "SAMEORIGIN",
        referrer_policy: str | None = "strict-origin-when-cross-origin",
        permitted_cross_domain_policies: str | None = "none",
        robots_tag: str | None = "none",
        xss_protection: str | None = "1; mode=block",
        strict_transport_security: str | None = "max-age=315360000; preload",
        permissions_policy: str | None = None,
        opener_policy: str | None = None,
        embedder_policy: str | None = None,
        resource_policy: str | None = None,
        existing: Existing = "replace",
    ) -> None:
        if existing not in get_args(Existing):
            raise ConfigError(f"existing is replace or keep, not {existing!a}")
        self.app = app
        options = {
            "content_type_options": content_type_options,
            "frame_options": frame_options,
            "referrer_policy": referrer_policy,
            "permitted_cross_domain_policies": permitted_cross_domain_policies,
            "robots_tag": robots_tag,
            "xss_protection": xss_protection,
            "permissions_policy": permissions_policy,
            "opener_policy": opener_policy,
            "embedder_policy": embedder_policy,
            "resource_policy": resource_policy,
        }
        always = [_header(option, value) for option, value in options.items() if value is not None]
        over_tls = always
        if strict_transport_security is not None:
            over_tls = [*always, _header("strict_transport_security", strict_transport_security)]
        edit_for = setting if existing == "replace" else _adding_missing
        self._edit = edit_for(always)
        self._edit_over_tls = edit_for(over_tls)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to the answer of an HTTP request."""
        if scope["type"] == "http":
            edit = self._edit_over_tls if scope.get("scheme") == "https" else self._edit
            scope, send = edited(scope, send, edit)
        await self.app(scope, receive, send)


def _header(option: str, value: str) -> Header:
    name, form = _FORMS[option]
    if not value.isascii() or not re.fullmatch(form, value):
        raise ConfigError(f"{option}: {value!a} is not a value of {name}")
    return name.encode("ascii"), value.encode("ascii")


def _adding_missing(ours: Sequence[Header]) -> Edit:
    def edit(present: list[Header], present_names: set[bytes]) -> None:
        present.extend(header for header in ours if header[0] not in present_names)
        present_names.update(name for name, _ in ours)

    return edit
