"""Which origins may read answers across origins, and what a preflight is told.

An origin is `scheme://host[:port]`. In an allow list:

- `*` alone is every origin, and then no credentials;
- one `*` in a host stands for one or more labels (or the rest of one) and is followed by a
  dot and a domain: `https://*.example.com`, `https://pr-*.example.com`;
- `*` as a port is any port: `http://localhost:*`;
- letters compare case-insensitively; `null` is nobody's origin and never allowed.

Sources: Fetch standard (CORS protocol), RFC 6454 §7, rs/cors as recorded (07_cors_default).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ocgate.core.errors import ConfigError

ALLOW_METHODS = (
    "OPTIONS", "HEAD", "GET", "PUT", "PATCH", "POST", "DELETE", "MKCOL", "PROPFIND", "PROPPATCH",
    "MOVE", "COPY", "REPORT", "SEARCH", "LOCK", "UNLOCK",
)  # fmt: skip
"""Methods allowed by default: the family's, and WebDAV's locks."""

ALLOW_HEADERS = (
    "Origin", "Accept", "Content-Type", "Depth", "Authorization", "OCS-APIRequest",
    "If-None-Match", "If-Match", "Destination", "Overwrite", "X-Request-ID", "X-Requested-With",
    "Tus-Resumable", "Tus-Checksum-Algorithm", "Upload-Concat", "Upload-Length",
    "Upload-Metadata", "Upload-Defer-Length", "Upload-Expires", "Upload-Checksum",
    "Upload-Offset", "X-HTTP-Method-Override", "Cache-Control",
    "If", "Lock-Token", "Range", "If-Range", "OC-Checksum", "X-OC-Mtime",
)  # fmt: skip
"""Request headers allowed by default: the family's, and those of locks, ranges, checked uploads."""

MAX_AGE = 600
"""Seconds for which a browser may remember a preflight; Starlette's default."""

PREFLIGHT_VARY = b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

Headers = list[tuple[bytes, bytes]]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_LONGEST_ORIGIN = 512  # twice the longest host name
_LONGEST_AGE = 86_400  # no browser remembers a preflight for longer than a day
_HOST = r"[a-z0-9._-]+|\[[0-9a-f:.]+\]"
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://(?:{_HOST})(?::[0-9]{{1,5}})?")
_PATTERN = re.compile(
    r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9._*-]+)(?::([0-9]{1,5}|\*))?/?"
)
_WILD_HOST = re.compile(r"([a-z0-9._-]*)\*((?:\.[a-z0-9_-]+)+)")
_LABELS = "[a-z0-9_-](?:[a-z0-9._-]*[a-z0-9_-])?"
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True, slots=True)
class Origins:
    """Origins that are allowed; made by `of`."""

    every: bool
    exact: frozenset[str]
    wild: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, allowed: Iterable[str]) -> "Origins":
        """Read an allow list. Raises `ConfigError`, one line for each entry that is no origin."""
        exact: set[str] = set()
        wild: list[re.Pattern[str]] = []
        mistakes: list[str] = []
        entries = list(allowed)
        for entry in entries:
            if entry == "*":
                continue
            try:
                read = _read(entry)
            except ConfigError as error:
                mistakes.append(str(error))
                continue
            if isinstance(read, str):
                exact.add(read)
            else:
                wild.append(read)
        if mistakes:
            raise ConfigError("\n".join(mistakes))
        return cls("*" in entries, frozenset(exact), tuple(wild))

    @property
    def empty(self) -> bool:
        """Nobody is allowed."""
        return not (self.every or self.exact or self.wild)

    def allow(self, origin: str) -> bool:
        """Say whether the value of an `Origin` header is on the list."""
        if len(origin) > _LONGEST_ORIGIN:
            return False
        lowered = origin.lower()
        if lowered in self.exact:
            return True
        if not (self.every or self.wild) or not _ORIGIN.fullmatch(lowered):
            return False
        return self.every or any(pattern.fullmatch(lowered) for pattern in self.wild)


@dataclass(frozen=True, slots=True)
class CORSRule:
    """What is allowed across origins; made by `of`. None for methods or headers: all of them."""

    origins: Origins
    methods: frozenset[str] | None
    headers: frozenset[str] | None
    credentials: bool
    exposed: tuple[str, ...]
    max_age: int | None

    @classmethod
    def of(
        cls,
        *,
        allow_origins: Iterable[str] = (),
        allow_methods: Iterable[str] = ALLOW_METHODS,
        allow_headers: Iterable[str] = ALLOW_HEADERS,
        allow_credentials: bool = False,
        expose_headers: Iterable[str] = (),
        max_age: int | None = MAX_AGE,
    ) -> "CORSRule":
        """Make a rule; `*` among methods or headers allows all of them.

        `max_age` is in seconds, None leaves it to the browser (5 s). Raises `ConfigError`.
        """
        origins = Origins.of(_listed("allow_origins", allow_origins))
        methods = _names("allow_methods", allow_methods)
        headers = _names("allow_headers", allow_headers)
        exposed = _names("expose_headers", expose_headers)
        if allow_credentials and origins.every:
            raise ConfigError(
                "allow_credentials with the origin `*` would let every web site act as the user, "
                "and browsers refuse the pair: list the origins, or allow no credentials"
            )
        if allow_credentials and "*" in exposed:
            raise ConfigError("expose_headers: with credentials `*` exposes nothing; name them")
        if max_age is not None and not 0 <= max_age <= _LONGEST_AGE:
            raise ConfigError(f"max_age is 0 to {_LONGEST_AGE} seconds, not {max_age}")
        return cls(
            origins=origins,
            methods=None if "*" in methods else frozenset(methods),
            headers=None if "*" in headers else frozenset(name.lower() for name in headers),
            credentials=allow_credentials,
            exposed=exposed,
            max_age=max_age,
        )

    def preflight(self, origin: str, method: str, headers: str) -> Headers | str:
        """Answer a preflight: the headers to send, or the reason of a refusal.

        The arguments are the values of `Origin`, `Access-Control-Request-Method` and
        `Access-Control-Request-Headers` (empty if there was none).
        """
        names = [name for part in headers.split(",") if (name := part.strip(" \t"))]
        if not self.origins.allow(origin):
            return "origin_not_allowed"
        if not self._allows_method(method):
            return "method_not_allowed"
        if not all(self._allows_header(name) for name in names):
            return "header_not_allowed"
        answer = self._granted(origin)
        answer.append((b"access-control-allow-methods", method.encode("latin-1")))
        if names:
            answer.append((b"access-control-allow-headers", ", ".join(names).encode("latin-1")))
        if self.max_age is not None:
            answer.append((b"access-control-max-age", b"%d" % self.max_age))
        return answer

    def actual(self, origin: str, method: str) -> Headers:
        """Return the headers that let a page of `origin` read the answer; none if it may not."""
        # OPTIONS that is no preflight is WebDAV's way of asking for capabilities.
        if not self.origins.allow(origin) or not (
            method == "OPTIONS" or self._allows_method(method)
        ):
            return []
        return self._granted(origin)

    def _granted(self, origin: str) -> Headers:
        allowed = "*" if self.origins.every else origin
        granted = [(b"access-control-allow-origin", allowed.encode("latin-1"))]
        if self.credentials:
            granted.append((b"access-control-allow-credentials", b"true"))
        return granted

    def _allows_method(self, method: str) -> bool:
        if self.methods is None:
            return _TOKEN.fullmatch(method) is not None
        return method in self.methods

    def _allows_header(self, name: str) -> bool:
        if self.headers is None:
            return _TOKEN.fullmatch(name) is not None
        return name.lower() in self.headers


def tokens(value: bytes) -> list[bytes]:
    """Split the value of a header that is a list of names."""
    return [name for part in value.split(b",") if (name := part.strip(b" \t"))]


def joined(*lists: Iterable[bytes]) -> bytes:
    """Join lists of names, each name once whatever its case is."""
    once: dict[bytes, bytes] = {}
    for names in lists:
        for name in names:
            once.setdefault(name.lower(), name)
    return b", ".join(once.values())


def _read(entry: str) -> str | re.Pattern[str]:
    """Return an entry of an allow list as an origin, or as a pattern if it has a wildcard."""
    match = _PATTERN.fullmatch(entry.lower())
    if match is None:
        why = "is never allowed" if entry.lower() == "null" else "is not `scheme://host[:port]`"
        raise ConfigError(f"allow_origins: {entry!a} {why}")
    scheme, host, port = match.groups()
    if port == _DEFAULT_PORTS.get(scheme):
        port = None
    if "*" not in host and port != "*":
        return f"{scheme}://{host}" + (f":{port}" if port else "")
    wild = _WILD_HOST.fullmatch(host)
    if "*" in host and (wild is None or port == "*"):
        raise ConfigError(
            f"allow_origins: {entry!a} may have one `*`, followed by `.` and a domain, "
            "because anybody can own a name that only ends alike"
        )
    hosts = re.escape(host) if wild is None else re.escape(wild[1]) + _LABELS + re.escape(wild[2])
    ports = "(?::[0-9]{1,5})?" if port == "*" else re.escape(f":{port}") if port else ""
    return re.compile(re.escape(f"{scheme}://") + hosts + ports)


def _names(option: str, names: Iterable[str]) -> tuple[str, ...]:
    listed = _listed(option, names)
    for name in listed:
        if not _TOKEN.fullmatch(name):
            raise ConfigError(f"{option}: {name!a} is not a name of that kind")
    return listed


def _listed(option: str, values: Iterable[str]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise ConfigError(f"{option} is a list, not one text")
    return tuple(values)
