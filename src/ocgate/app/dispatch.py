"""Which app serves a request, and whether a principal is needed for it."""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.errors import NotFound
from ocgate.core.routing import Route, Router
from ocgate.core.targets import TARGET, Target

ENDPOINT: Final = "ocgate.endpoint"

OCS_ROOTS: Final = (b"/ocs/v1.php/", b"/ocs/v2.php/")
SIGNING_KEY: Final = b"cloud/user/signing-key"


async def to_endpoint(scope: Scope, receive: Receive, send: Send) -> None:
    """Call the app that `Dispatch` chose: the innermost end of the protected stack."""
    await scope[ENDPOINT](scope, receive, send)


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
        self._endpoints = {id(route): endpoint_of(route) for route in router.routes}
        self._ocs = ocs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises NotFound where no route matches."""
        target: Target = scope[TARGET]
        route = self._router.match(scope["method"], target)
        if self._ocs is not None and target.folded.startswith(OCS_ROOTS):
            path = target.folded[len(OCS_ROOTS[0]) :]
            if path.startswith(SIGNING_KEY) or route is None or route.endpoint == "/":
                await self._protected({**scope, ENDPOINT: self._ocs}, receive, send)
                return
        if route is None:
            raise NotFound("There is nothing here.", detail="no route matches")
        endpoint = self._endpoints[id(route)]
        if route.unprotected:
            await endpoint(scope, receive, send)
        else:
            await self._protected({**scope, ENDPOINT: endpoint}, receive, send)
