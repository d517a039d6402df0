"""Remove the headers with which a client could claim to be somebody.

    app = StripIdentityMiddleware(app)

Every header that matches one of `names` is removed from every request, whoever sends it,
public routes included. `_` and `.` in a name count as `-`, because CGI and WSGI backends
cannot tell them apart. Whoever sets identity headers for a backend does so further in.

Deployment caveat: in front of an authenticator that reads such a header from a trusted proxy
it removes what that authenticator needs; leave the name out there.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.header_names import HeaderFamily
from ocgate.core.identity_headers import IDENTITY_FAMILY


class StripIdentityMiddleware:
    """See the module docstring.

    `names` are header names and prefixes ending in `*`; raises `ConfigError` for others.
    """

    def __init__(self, app: ASGIApp, *, names: Iterable[str] = IDENTITY_FAMILY) -> None:
        self.app = app
        self._family = HeaderFamily(names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on without the headers."""
        if scope["type"] in ("http", "websocket"):
            present = scope["headers"]
            kept = self._family.without(present)
            if kept is not present:
                scope = {**scope, "headers": kept}
        await self.app(scope, receive, send)
