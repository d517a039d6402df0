"""Which app serves a request, and whether a principal is needed for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.errors import NotFound
from ocgate.core.routing import Route, Router
from ocgate.core.targets import TARGET, Target

ENDPOINT: Final = "ocgate.endpoint"
FOUND: Final = "ocgate.found"
"""Scope key of what wants to know that a request was let through (see `shortcut`)."""

OCS_ROOTS: Final = (b"/ocs/v1.php/", b"/ocs/v2.php/")
SIGNING_KEY: Final = b"cloud/user/signing-key"


async def to_endpoint(scope: Scope, receive: Receive, send: Send) -> None:
    """Call the app that `Dispatch` chose: the innermost end of the protected stack."""
    note = scope.get(FOUND)
    if note is not None:
        note(scope)
    await scope[ENDPOINT](scope, receive, send)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which app serves a request; `is_open` to everybody, or only with a principal.

    Where it is `repeatable`, what is added to an answer depends on the header fields alone.
    """

    endpoint: ASGIApp
    is_open: bool
    repeatable: bool


class Dispatch:
    """Chooses by the checked target. Unprotected routes go past `protected`, all others through.

    `ocs` answers `/ocs/v1.php|v2.php/cloud/user/signing-key` whatever the routes say, and the
    rest of `/ocs/v?.php/` where only the route `/` would take it: a plain file server knows no
    OCS, and clients expect its envelope even for what is not there.
    """

    def __init__(
        self,
        protected: ASGIApp,
        router: Router,
        endpoint_of: Callable[[Route], ASGIApp],
        *,
        ocs: ASGIApp | None,
    ) -> None:
        self._protected = protected
        self._router = router
        # By identity: hashing a route's ten fields would cost more than finding it.
        self._choices = {
            id(route): Choice(endpoint_of(route), route.unprotected, not route.unprotected)
            for route in router.routes
        }
        self._ocs = None if ocs is None else Choice(ocs, is_open=False, repeatable=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises NotFound where no route matches."""
        choice = self.choose(scope["method"], scope[TARGET])
        if choice is None:
            raise NotFound("There is nothing here.", detail="no route matches")
        if choice.is_open:
            await choice.endpoint(scope, receive, send)
            return
        inner = {**scope, ENDPOINT: choice.endpoint}
        if not choice.repeatable:
            inner.pop(FOUND, None)
        await self._protected(inner, receive, send)

    def choose(self, method: str, target: Target) -> Choice | None:
        """Return what serves that target, None where no route matches."""
        route = self._router.match(method, target)
        if self._ocs is not None and target.folded.startswith(OCS_ROOTS):
            path = target.folded[len(OCS_ROOTS[0]) :]
            if path.startswith(SIGNING_KEY) or route is None or route.endpoint == "/":
                return self._ocs
        return None if route is None else self._choices[id(route)]
