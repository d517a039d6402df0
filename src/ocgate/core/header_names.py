"""Families of header names, matched as a CGI or WSGI backend would read them.

Such backends turn `-` into `_` and cannot tell `X_Remote_User` from `X-Remote-User`, so both
belong to one family here; `.` is folded as well, because some servers fold it too.
"""

import re
from collections.abc import Iterable

from ocgate.core.errors import ConfigError

Header = tuple[bytes, bytes]

_FOLD = bytes.maketrans(b"_.", b"--")
_PATTERN = re.compile(r"[!#$%&'+.^_`|~0-9A-Za-z-]+\*?")  # a token (RFC 9110 §5.6.2) without `*`
_LONGEST_REMEMBERED = 64
_MOST_REMEMBERED = 1024


def folded_name(name: bytes) -> bytes:
    """Return the name in lower case with `_` and `.` as `-`."""
    return name.lower().translate(_FOLD)


class HeaderFamily(dict[bytes, bool]):
    """Tells which header names belong to it: `family[name]`.

    Made of names and of prefixes that end in `*` (`X-Auth-Request-*`). Answers are remembered,
    because clients send the same few dozen names again and again. Raises `ConfigError` for a
    pattern that no header name could ever match, and for `*` alone.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        super().__init__()
        names: set[bytes] = set()
        prefixes: set[bytes] = set()
        for pattern in patterns:
            if not _PATTERN.fullmatch(pattern):
                raise ConfigError(f"{pattern!r} is neither a header name nor a prefix ending in *")
            folded = folded_name(pattern.encode("ascii"))
            if folded.endswith(b"*"):
                prefixes.add(folded[:-1])
            else:
                names.add(folded)
        self._names = frozenset(names)
        self._prefixes = tuple(prefixes)

    def __missing__(self, name: bytes) -> bool:
        folded = folded_name(name)
        belongs = folded in self._names or folded.startswith(self._prefixes)
        # Bounded, because clients choose the names.
        if len(self) < _MOST_REMEMBERED and len(name) <= _LONGEST_REMEMBERED:
            self[name] = belongs
        return belongs

    def without(self, headers: list[Header]) -> list[Header]:
        """Return the headers outside the family: the same list if that is all of them."""
        for name, _ in headers:
            if self[name]:
                return [header for header in headers if not self[header[0]]]
        return headers
