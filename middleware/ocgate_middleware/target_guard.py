"""Refuse requests that two servers could understand differently, before anybody decides.

Every accepted request carries its parsed target in `scope["ocgate.target"]`, and that of its
`Destination` header in `scope["ocgate.destination"]`; all further decisions and the forwarded
request are made from these two.

    app = TargetGuardMiddleware(app, origins=[b"https://files.example.org"])

1. The path obeys `ocgate.core.targets`, and so does the one `Destination`, which is on this
   server: on the Host, on a configured origin, or on the one that a trusted proxy told.
2. TRACE, TRACK and CONNECT are a 405, methods that no file server knows a 501; `OPTIONS *` is
   answered here.
3. There is one `Authorization` header at most, with one set of credentials.
4. No header name has a `_`: CGI and WSGI servers take it for `-`, so that `X_Remote_User` would
   become an identity that nobody proved. `allow_underscores` lets such names through.

Place it outside of everything that looks at the path, and inside of the error middleware:
refusals are raised as `OcgateError`.
"""

import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.errors import BadRequest, ConfigError, OcgateError
from ocgate.core.targets import DESTINATION, TARGET, Target, parse_destination, parse_target

# RFC 9110 and 5789, then WebDAV and its extensions: RFC 4918, 3253, 3648, 3744, 4791, 5323, 5842.
_METHODS = """
    GET HEAD POST PUT DELETE OPTIONS PATCH
    PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK REPORT SEARCH ACL MKCALENDAR ORDERPATCH
    VERSION-CONTROL CHECKOUT CHECKIN UNCHECKOUT MKWORKSPACE UPDATE LABEL MERGE
    BASELINE-CONTROL MKACTIVITY BIND UNBIND REBIND
"""
KNOWN_METHODS = frozenset(_METHODS.split())
REFUSED_METHODS = frozenset(("TRACE", "TRACK", "CONNECT"))

_WATCHED = frozenset((b"authorization", b"destination", b"host"))
_ONE_TOKEN = (b"basic ", b"bearer ")
# The end of the quotes is optional, so that each byte is looked at once: searched for from every
# quote, an end that is not there would cost the square of the header's length.
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*("?)')
# The commas between the parameters of one set of credentials stand before `name=`.
_SECOND_CREDENTIALS = re.compile(rb",(?![ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*=)")
_ORIGIN = re.compile(rb"https?://[a-z0-9.:\[\]_-]+")


class MethodNotAllowed(OcgateError):
    """The method is known and never allowed here."""

    status = 405


class MethodNotImplemented(OcgateError):
    """Nobody behind the gate knows the method."""

    status = 501


class TargetTooLong(OcgateError):
    """The path and the query together are longer than the limit."""

    status = 414


class TargetGuardMiddleware:
    """See the module docstring.

    `allow_encoded_slash` lets `%2F` and `%5C` be part of a name; `max_target` bounds path and
    query together, in bytes; `origins` (`scheme://host[:port]`) are further names of this
    server in `Destination`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        allow_encoded_slash: bool = False,
        allow_underscores: bool = False,
        max_target: int = 8192,
        origins: Iterable[bytes] = (),
    ) -> None:
        self.app = app
        self.allow_encoded_slash = allow_encoded_slash
        self.allow_underscores = allow_underscores
        self.max_target = max_target
        self.origins = tuple(origin.lower() for origin in origins)
        if max_target < 1:
            raise ConfigError("max_target must be at least 1 byte")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ConfigError(f"{origin!r} is not an origin of the form scheme://host[:port]")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its targets in the scope, or raise `OcgateError`."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        method = scope.get("method", "GET")
        if method not in KNOWN_METHODS:
            if method in REFUSED_METHODS:
                raise MethodNotAllowed("the method is not allowed")
            raise MethodNotImplemented("the method is not implemented")
        if method == "OPTIONS" and scope["raw_path"] == b"*":
            await _answer_about_the_server(send)
            return
        await self.app({**scope, **self._guarded(scope)}, receive, send)

    def _guarded(self, scope: Scope) -> dict[str, Target]:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if not self.allow_underscores and b"_" in b"".join([name for name, _ in headers]):
            raise BadRequest("a header name has an underscore")
        raw_path, query = scope["raw_path"], scope["query_string"]
        if len(raw_path) + len(query) > self.max_target:
            raise TargetTooLong("the request target is too long")
        parsed = {
            TARGET: parse_target(raw_path, query, allow_encoded_slash=self.allow_encoded_slash)
        }
        watched = [header for header in headers if header[0] in _WATCHED]
        credentials = [value for name, value in watched if name == b"authorization"]
        if credentials:
            _refuse_two_credentials(credentials)
        destinations = [value for name, value in watched if name == b"destination"]
        if destinations:
            host = next((value for name, value in watched if name == b"host"), b"")
            parsed[DESTINATION] = self._destination(scope, destinations, host)
        return parsed

    def _destination(self, scope: Scope, values: list[bytes], host: bytes) -> Target:
        if len(values) > 1:
            raise BadRequest("there is more than one Destination header")
        forwarded: bytes | None = scope.get("ocgate.forwarded_origin")
        return parse_destination(
            values[0],
            host=host,
            allow_encoded_slash=self.allow_encoded_slash,
            origins=self.origins if forwarded is None else (*self.origins, forwarded.lower()),
        )


def _refuse_two_credentials(values: list[bytes]) -> None:
    value = values[0]
    if len(values) == 1:
        if b"," not in value:
            return
        # Quotes without an end leave a comma with nothing behind it, which is refused.
        parameters = _QUOTED.sub(lambda found: b"" if found[1] else b",", value)
        one_token = value[:7].lower().startswith(_ONE_TOKEN)
        if not one_token and not _SECOND_CREDENTIALS.search(parameters):
            return
    raise BadRequest("there is more than one set of credentials")


async def _answer_about_the_server(send: Send) -> None:
    allow = ", ".join(sorted(KNOWN_METHODS)).encode()
    headers = [(b"allow", allow), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body"})
