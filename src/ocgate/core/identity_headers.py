"""The headers that tell a backend who is asking.

Values are UTF-8, not percent-encoded: that is what the reverse proxies which set
`Remote-User` do, and what backends read. A value that would arrive at the backend as
somebody else is never sent: see `identity_headers`.
"""

import re
from dataclasses import dataclass, fields

from ocgate.core.errors import ConfigError, Forbidden
from ocgate.core.header_names import Header
from ocgate.core.identity import Principal

IDENTITY_FAMILY = (
    "Remote-*",
    "X-Remote-*",
    "X-Access-Token",
    "X-Auth-Request-*",
    "X-Auth-User*",
    "X-Auth-Groups",
    "X-Auth-Email",
    "X-Authelia-*",
    "X-Authentik-*",
    "X-Authenticated-*",
    "X-Webauth-*",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Goog-Authenticated-*",
    "X-Goog-IAP-*",
    "X-MS-Client-Principal*",
    "X-Pomerium-*",
    "X-Vouch-*",
    "X-User",
    "X-User-Id",
    "X-User-Name",
    "X-User-Email",
    "X-User-Groups",
    "X-User-Roles",
    "X-Username",
    "X-Client-Cert*",
    "X-SSL-Client-*",
    "SSL-Client-*",
    "Cf-Access-*",
    "OIDC-Claim-*",
    "OIDC-Access-Token*",
    "Tailscale-User-*",
)
"""Patterns of headers in which some backend believes to read who is asking."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")  # a token (RFC 9110 §5.6.2), or nothing
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # lone surrogates have no UTF-8


@dataclass(frozen=True, slots=True)
class IdentityHeaderNames:
    """Which header carries what; an empty name sends nothing.

    Raises `ConfigError` for what cannot be a header name.
    """

    user: str = "X-Remote-User"
    user_id: str = "X-Remote-User-Id"
    display_name: str = "X-Remote-Name"
    mail: str = "X-Remote-Email"
    groups: str = "X-Remote-Groups"
    roles: str = ""

    def __post_init__(self) -> None:
        for entry in fields(self):
            name = getattr(self, entry.name)
            if not _NAME.fullmatch(name):
                raise ConfigError(f"{name!r} is not a header name")


def identity_headers(principal: Principal, names: IdentityHeaderNames) -> list[Header]:
    """Return the headers that name the principal, for a request to the backend.

    Groups and roles are joined with commas; one with a comma in it is left out, as it would
    arrive as two. In display name and mail, control characters become spaces. Raises
    `Forbidden` where the name or the id has a control character or surrounding white space:
    the backend would read another name.
    """
    account = principal.account
    headers: list[Header] = []
    if names.user:
        headers.append((_key(names.user), _exact(account.name)))
    if names.user_id:
        headers.append((_key(names.user_id), _exact(account.id)))
    if names.display_name and account.display_name:
        headers.append((_key(names.display_name), _text(account.display_name)))
    if names.mail and account.mail:
        headers.append((_key(names.mail), _text(account.mail)))
    if names.groups and account.groups:
        headers.append((_key(names.groups), _list(account.groups)))
    if names.roles and account.roles:
        headers.append((_key(names.roles), _list(account.roles)))
    return headers


def _key(name: str) -> bytes:
    return name.lower().encode("ascii")


def _exact(value: str) -> bytes:
    if not _is_exact(value):
        raise Forbidden(
            "This account cannot be named to the file server.",
            detail="user name or id is empty, or has control characters or surrounding space",
        )
    return value.encode()


def _is_exact(value: str) -> bool:
    return value != "" and value == value.strip() and not _CONTROL.search(value)


def _text(value: str) -> bytes:
    return _CONTROL.sub(" ", value).strip().encode(errors="replace")


def _list(values: tuple[str, ...]) -> bytes:
    return ",".join(v for v in values if _is_exact(v) and "," not in v).encode()
