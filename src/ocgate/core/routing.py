"""Which backend a request goes to, and whether it may go there without a principal.

Routes have the family's three types, asked in the order query, regex, prefix; within a type
the first route in list order wins, those for exactly this method before those for any method.
The prefix `/` matches last, wherever it stands in the list.

Protection is decided more strictly than in the family, where `/data` also opens `/database`
and a regex also finds its text in the query: an unprotected route matches whole segments, from
the start of the path, never in the query and never by a parameter that is given twice. Where
one reading of the target (`ocgate.core.targets.readings`) would fall under a protected route,
the protected route holds.
"""

import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, quote

from ocgate.core.errors import BadRequest, ConfigError
from ocgate.core.targets import Target, parse_target, readings

RouteType = Literal["prefix", "regex", "query"]
Matches = Callable[[bytes, bytes], object]
"""Takes a path and a query; the result is true if a route takes a request for them."""

ROUTE_TYPES: Final[tuple[RouteType, ...]] = ("query", "regex", "prefix")

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_FLAGS = re.compile(rb"\(\?[ims]+\)")


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of a policy's `routes`.

    Either `backend` (addresses of one backend, served in turns) or `service` (a name that the
    composition root resolves, such as `ocs`) says where the request goes.
    """

    endpoint: str
    type: RouteType = "prefix"
    method: str = ""
    """The only method that matches; empty for any."""
    backend: tuple[str, ...] = ()
    service: str = ""
    unprotected: bool = False
    websocket: bool = False
    """`Upgrade: websocket` passes on this route."""
    backend_host: bool = False
    """Send the backend's own name as Host (the family's `apache_vhost`), not the client's."""
    remote_user_header: str = ""
    """Name of a header that carries the user's name to this backend."""
    additional_headers: tuple[tuple[str, str], ...] = ()
    skip_x_access_token: bool = False


class Router:
    """Finds the route of a request. Raises ConfigError for a route that could never be read."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        matchers = [matcher_of(route) for route in self.routes]
        matchers.sort(key=lambda matcher: matcher.rank)
        # Bound methods in tuples: this list is walked for every request.
        self._in_order = [(one.route.method, one.matches, one.route) for one in matchers]
        first = matchers[0] if matchers else None
        self._only = first.route if first and first.matches_all and not first.route.method else None

    def match(self, method: str, target: Target) -> Route | None:
        """Return the route of a request, or None where no route matches."""
        if self._only is not None:
            return self._only
        found = self._first(method, target.folded, target.query)
        if found is None or not found.unprotected:
            return found
        for path in readings(target)[1:]:
            other = self._first(method, path, target.query)
            if other is None or not other.unprotected:
                return other
        return found

    def _first(self, method: str, path: bytes, query: bytes) -> Route | None:
        for only, matches, route in self._in_order:
            if (not only or only == method) and matches(path, query):
                return route
        return None


class PrefixMatcher:
    """Matches by the beginning of the path: any text if protected, whole segments if not."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._prefix = _path_of(route.endpoint)
        self._whole = route.unprotected and not self._prefix.endswith(b"/")
        self.matches_all = self._prefix == b"/"
        self.rank = (2, self.matches_all, not route.method)
        self.matches: Matches = _always if self.matches_all else self._begins

    def _begins(self, path: bytes, _query: bytes, /) -> object:
        if not path.startswith(self._prefix):
            return False
        end = len(self._prefix)
        return not self._whole or path[end : end + 1] in (b"", b"/")


class RegexMatcher:
    """Matches by an expression: found anywhere in path and query if protected.

    If not protected, it must match the path alone, from its start up to the end of a segment.
    """

    matches_all = False

    def __init__(self, route: Route) -> None:
        self.route = route
        self.rank = (1, False, not route.method)
        pattern = route.endpoint.encode()
        self._search = _compiled(pattern, route.endpoint).search
        if route.unprotected:
            flags = _FLAGS.match(pattern)
            start = flags.end() if flags else 0
            whole = pattern[:start] + b"(?:" + pattern[start:] + rb")(?:(?<=/)|(?=/)|\Z)"
            self._match = _compiled(whole, route.endpoint).match
        self.matches: Matches = self._opens if route.unprotected else self._finds

    def _finds(self, path: bytes, query: bytes, /) -> object:
        return self._search(path + b"?" + query if query else path)

    def _opens(self, path: bytes, _query: bytes, /) -> object:
        return self._match(path)


class QueryMatcher:
    """Matches by a prefix of the path and by the first value of each parameter named."""

    matches_all = False

    def __init__(self, route: Route) -> None:
        self.route = route
        self.rank = (0, False, not route.method)
        path, _, query = route.endpoint.partition("?")
        if path == "/":
            raise ConfigError(f"a query route needs more of a path than '/': {route.endpoint!r}")
        self._prefix = _path_of(path)
        self._whole = route.unprotected and not self._prefix.endswith(b"/")
        self._wanted = _first_values(parse_qsl(query, keep_blank_values=True))
        if not self._wanted:
            raise ConfigError(f"a query route needs a query, such as ?a=1: {route.endpoint!r}")

    def matches(self, path: bytes, query: bytes, /) -> object:
        """Say by a true value whether this route takes a request for that path and query."""
        if not query or not path.startswith(self._prefix):
            return False
        end = len(self._prefix)
        if self._whole and path[end : end + 1] not in (b"", b"/"):
            return False
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        given = _first_values(pairs)
        if any(given.get(name, "") != value for name, value in self._wanted.items()):
            return False
        names = [name for name, _ in pairs]
        return not self.route.unprotected or all(names.count(name) == 1 for name in self._wanted)


def matcher_of(route: Route) -> PrefixMatcher | RegexMatcher | QueryMatcher:
    """Compile a route; raises ConfigError for an endpoint that cannot be used."""
    if route.type == "query":
        return QueryMatcher(route)
    if route.type == "regex":
        return RegexMatcher(route)
    return PrefixMatcher(route)


def _path_of(endpoint: str) -> bytes:
    """Return an endpoint in the folded form of targets: `/my files/` as `/my%20files/`."""
    try:
        return parse_target(quote(endpoint, safe=_PRINTABLE).encode(), b"").folded
    except BadRequest as error:
        raise ConfigError(f"endpoint {endpoint!r}: {error}") from None
    except UnicodeEncodeError:
        raise ConfigError(f"endpoint {endpoint!r} is not UTF-8") from None


def _compiled(pattern: bytes, shown: str) -> re.Pattern[bytes]:
    try:
        with warnings.catch_warnings():
            # Go's [[:alpha:]] means something else to Python, which only warns about it.
            warnings.simplefilter("error")
            return re.compile(pattern)
    except (re.error, Warning, OverflowError, RecursionError) as error:
        raise ConfigError(f"{shown!r} is not a regular expression here: {error}") from None


def _always(_path: bytes, _query: bytes, /) -> object:
    return True


def _first_values(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in pairs:
        values.setdefault(name, value)
    return values
