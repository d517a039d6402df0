"""The shared half of every authenticator middleware: ask once, and write down the outcome."""

import logging
from typing import Any, Protocol

from starlette.types import Scope

from ocgate.core.identity import (
    CHALLENGES,
    PRINCIPAL,
    REJECTION,
    Authenticator,
    Principal,
    Rejection,
)

LOG_FIELDS = "ocgate.log"
"""Scope key of the dict that the access log prints; inner middlewares may add to it."""

log = logging.getLogger("ocgate.auth")


class ChallengingAuthenticator(Authenticator, Protocol):
    """An authenticator that may also say what a client could try."""

    @property
    def challenge(self) -> bytes | None:
        """The `WWW-Authenticate` value, or None where there is nothing to ask for."""
        ...


async def identified(scope: Scope, authenticator: ChallengingAuthenticator) -> Scope:
    """Return `scope` with the principal in it, or with the rejection and one more challenge.

    The first credential that is an authenticator's own decides: after an acceptance or a
    refusal the authenticators further in do not look, so that a refused credential never
    silently becomes somebody else.
    """
    if scope["type"] not in ("http", "websocket") or PRINCIPAL in scope:
        return scope
    found: dict[str, Any] = {}
    if REJECTION not in scope:
        outcome = await authenticator.authenticate(scope)
        if isinstance(outcome, Principal):
            record(scope, user=outcome.account.name, authenticator=authenticator.name)
            return {**scope, PRINCIPAL: outcome}
        if isinstance(outcome, Rejection):
            found[REJECTION] = outcome
            report(scope, authenticator.name, outcome)
    if authenticator.challenge is not None:
        found[CHALLENGES] = (*scope.get(CHALLENGES, ()), authenticator.challenge)
    return {**scope, **found} if found else scope


def record(scope: Scope, **fields: object) -> None:
    """Add fields to this request's access-log line, if there is one."""
    line = scope.get(LOG_FIELDS)
    if line is not None:
        line.update(fields)


def report(scope: Scope, authenticator: str, rejection: Rejection) -> None:
    """Write one line about a refused credential; the reason is for the operator alone."""
    client = scope.get("client")
    fields = {
        "authenticator": authenticator,
        "reason": rejection.reason,
        "user": rejection.credential,
        "client.address": client[0] if client else "",
        "path": scope.get("path", ""),
    }
    record(scope, authenticator=authenticator, reason=rejection.reason)
    log.error("authentication failed", extra={"fields": fields})
