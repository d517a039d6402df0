"""Who somebody is, and what an authenticator says about a credential.

An authenticator returns data and never writes a response: `Principal` (proven), `Rejection`
(mine, refused) or None (not my kind of credential). What is broken is an exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

PRINCIPAL = "ocgate.principal"
"""Scope key of the proven `Principal`; absent while nobody is known."""

REJECTION = "ocgate.rejection"
"""Scope key of the first `Rejection`; later authenticators leave such a request alone."""

CHALLENGES = "ocgate.challenges"
"""Scope key of the `WWW-Authenticate` values (tuple of bytes) collected so far."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the directory knows it.

    `id` is opaque and never re-used (the family's UUID); `name` is what people type.
    """

    id: str
    name: str
    display_name: str = ""
    mail: str = ""
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Principal:
    """The outcome of a proof: this account, shown by this kind of credential."""

    account: Account
    proven_by: str
    """Name of the authenticator: `presigned_url`, `basic` …"""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A credential that was looked at and refused.

    `reason` is a code for log and metrics (`expired`, `signature_mismatch` …); clients never
    see it. `credential` is the user name that was claimed, never the secret.
    """

    reason: str
    credential: str = ""


Outcome = Principal | Rejection | None


class Accounts(Protocol):
    """Look-up of accounts. Answers, or raises `StoreError`; never a guess."""

    async def find_by_name(self, name: str, /) -> Account | None:
        """Return the account of that login name, disabled ones too."""
        ...

    async def find_by_id(self, account_id: str, /) -> Account | None:
        """Return the account with that id, disabled ones too."""
        ...


class Authenticator(Protocol):
    """Turns one kind of credential into an `Outcome`."""

    @property
    def name(self) -> str:
        """The name that stands in log, metrics and `Principal.proven_by`."""
        ...

    async def authenticate(self, scope: Mapping[str, Any], /) -> Outcome:
        """Judge the credential in an ASGI scope. Raises `OcgateError` when something is broken."""
        ...


def principal_of(scope: Mapping[str, Any]) -> Principal:
    """Return who is asking; raises LookupError where nobody was authenticated.

    Routes use this, so that one forgotten middleware is an error and not an open door.
    """
    principal = scope.get(PRINCIPAL)
    if not isinstance(principal, Principal):
        why = "no principal in the scope: require_principal is missing in front"
        raise LookupError(why)  # noqa: TRY004 - it is missing, not of a wrong type
    return principal
