"""Identify the caller by user name and password (Basic, RFC 7617).

    users = load_users("users.htpasswd")
    app = BasicAuthMiddleware(app, users=users)

A request is accepted if its one `Authorization` header carries the name of an enabled account
together with its password. Requests with another scheme, or none, pass as they came. A
credential that was accepted does not travel further in.

bcrypt is slow on purpose, so each password is checked once and remembered for a minute, under
a keyed hash that includes the stored hash: a changed password counts at once. Failures are
counted by client and by account; whoever fails too often is refused without a check. A
password that was right within the last hours is always checked, so that nobody can lock a
user out by failing in his name. Users who do not exist, or are disabled, cost as much as a
wrong password.

Deployment caveat: behind another proxy, put `ForwardedMiddleware` in front with that proxy's
address; otherwise all clients share one count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.basic_password import MALFORMED, BasicPassword
from ocgate.core.errors import ConfigError
from ocgate.core.identity import PRINCIPAL, Account, Outcome, Principal, Rejection
from ocgate.directory.passwords import password_matches
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

_FAILED_FOR = 5.0
"""Seconds that a wrong password is remembered: a client that repeats it costs nothing."""

_RIGHT_WITHIN = 12 * 3600.0
"""Seconds during which a password that was right is checked however many others fail."""

_LIMIT_SECONDS = 60.0


class PasswordUsers(Protocol):
    """Who may log in with a password, e.g. `ocgate.directory.users_file.LocalUsers`."""

    async def find_by_name(self, name: str, /) -> Account | None:
        """Return the account of that login name, disabled ones too."""
        ...

    def password_hash(self, name: str, /) -> bytes:
        """Return the bcrypt hash; for unknown users one of the same cost that nothing fits."""
        ...


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A whole header that was right: no need to read it again while all this is the same."""

    name: str
    stored: bytes
    principal: Principal


class BasicAuthMiddleware:
    """See the module docstring.

    `remember` is in seconds; the two limits are failures a minute. Raises `ConfigError` for a
    realm that cannot stand between quotes.
    """

    name = "basic"

    def __init__(
        self,
        app: ASGIApp,
        *,
        users: PasswordUsers,
        realm: str = "ocgate",
        remember: float = 60.0,
        failures_per_client: int = 20,
        failures_per_account: int = 10,
    ) -> None:
        if not (realm.isascii() and realm.isprintable()) or '"' in realm or "\\" in realm:
            raise ConfigError(f"realm {realm!r}: printable ASCII without quotes or backslashes")
        if remember < 0 or failures_per_client < 1 or failures_per_account < 1:
            raise ConfigError("basic: remember is at least 0, both failure limits at least 1")
        self.app = app
        self.challenge = f'Basic realm="{realm}", charset="UTF-8"'.encode()
        self._users = users
        self._remember = remember
        self._accepted = Verdicts[_Accepted]()
        self._verdicts = Verdicts[bool]()
        self._right_before = Verdicts[bool]()
        self._clients = FailureLimit(attempts=failures_per_client, seconds=_LIMIT_SECONDS)
        self._accounts = FailureLimit(attempts=failures_per_account, seconds=_LIMIT_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with the principal if the password is right."""
        inner = await identified(scope, self)
        principal = inner.get(PRINCIPAL)
        if principal is not None and PRINCIPAL not in scope:
            inner["headers"] = [h for h in inner["headers"] if h[0] != b"authorization"]
        await self.app(inner, receive, send)

    async def authenticate(self, scope: Mapping[str, Any], /) -> Outcome:
        """Judge the password in an ASGI scope. Raises `Overloaded` when too many checks wait."""
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        if not values:
            return None
        if len(values) > 1:
            return MALFORMED
        whole = self._accepted.key(values[0])
        accepted = self._accepted.get(whole)
        if accepted is not None and await self._still_holds(accepted):
            return accepted.principal
        presented = BasicPassword.parse(values[0])
        if not isinstance(presented, BasicPassword):
            return presented
        account = await self._users.find_by_name(presented.name)
        stored = self._users.password_hash(presented.name)
        reason = await self._refusal(presented, stored, account, client_name(scope))
        if account is None or reason:
            return Rejection(reason, presented.name[:LONGEST_NAME])
        principal = Principal(account, proven_by=self.name)
        accepted = _Accepted(presented.name, stored, principal)
        self._accepted.remember(whole, accepted, seconds=self._remember)
        return principal

    async def _still_holds(self, accepted: "_Accepted") -> bool:
        if self._users.password_hash(accepted.name) != accepted.stored:
            return False
        account = await self._users.find_by_name(accepted.name)
        return account is not None and account == accepted.principal.account and account.enabled

    async def _refusal(
        self, presented: BasicPassword, stored: bytes, account: Account | None, client: str
    ) -> str:
        """Return why the credential is refused, "" if it is right."""
        key = self._verdicts.key(presented.name.encode(), presented.password, stored)
        right = self._verdicts.get(key)
        if right is None:
            who = limited_name(presented.name)
            excused = self._right_before.get(key) is not None

            def limited() -> bool:
                return not excused and (
                    self._clients.blocked(client) or self._accounts.blocked(who)
                )

            def compare() -> bool:
                if limited():
                    raise LimitReached
                found = password_matches(presented.password, stored)
                if not found:
                    self._clients.failed(client)
                    self._accounts.failed(who)
                return found

            async def check() -> bool:
                found = await run_costly(compare, client=client)
                if found:
                    self._right_before.remember(key, found, seconds=_RIGHT_WITHIN)
                seconds = self._remember if found else _FAILED_FOR
                self._verdicts.remember(key, found, seconds=seconds)
                return found

            if limited():
                return "limited"
            try:
                right = await self._verdicts.once(key, check)
            except LimitReached:
                return "limited"
        if account is None:
            return "unknown_user"
        if not right:
            return "wrong_password"
        return "" if account.enabled else "disabled"
