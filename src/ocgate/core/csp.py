"""A Content-Security-Policy as a value: made, merged and written without surprises.

    policy = Policy.of({"default-src": ["'self'"], "img-src": ["'self'", "data:"]})
    policy.header  # "default-src 'self'; img-src 'self' data:"

Directives are sorted by name, values stay in their order, one blank between values, `; `
between directives, nothing at the end (recorded: 17_csp_cases). What would start another
directive, another policy or another header cannot become part of a `Policy`.

Sources: CSP Level 3 §2.2.1 (serialised policies), the family's builder unrolled/secure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from ocgate.core.errors import ConfigError

Directives = Mapping[str, tuple[str, ...]]
"""Values by the name of their directive."""

NONE = "'none'"
NONCE = "$NONCE"
"""A value that stands for `'nonce-…'` with fresh random text for each response."""

VALUELESS = frozenset(
    {"block-all-mixed-content", "sandbox", "trusted-types", "upgrade-insecure-requests"}
)
"""Directives that mean something without a value."""

REPORTING = frozenset({"report-to", "report-uri"})

_NEVER_VALUED = frozenset({"block-all-mixed-content", "upgrade-insecure-requests"})
_LAST_WINS = frozenset({"report-to", "require-trusted-types-for"})
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_VALUE = re.compile(r"[\x21-\x7e]+")
_UNSAFE = re.compile(r"[^\x20-\x2b\x2d-\x3a\x3c-\x7e]")
_FALLBACKS = {
    "connect-src": ("default-src",),
    "frame-src": ("child-src", "default-src"),
}
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+", re.IGNORECASE)
_WHY = {
    ";": "contains `;`, which would start another directive; in a URL it is written %3B",
    ",": "contains `,`, which would start another policy; in a URL it is written %2C",
    "\n": "contains a line break, which would end the header (in YAML, `|` and `>` add one)",
    "\r": "contains a line break, which would end the header",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """An unbroken policy; `directives` are sorted by name. Made by `of` and `parse`."""

    directives: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, directives: Mapping[str, str | Sequence[str] | None]) -> Self:
        """Make a policy of values by directive; a text is split at blanks, None is no value.

        Raises `ConfigError` with one line for each mistake.
        """
        found: dict[str, tuple[str, ...]] = {}
        mistakes: list[str] = []
        for written, values in directives.items():
            name = written.lower()
            split = values_of([values] if isinstance(values, str) else values or ())
            mistakes += mistakes_in(written, split)
            if name in found:
                mistakes.append(f"{name}: given twice")
            found[name] = split
        if not found:
            mistakes.append("a policy without directives would be an empty header")
        if mistakes:
            raise ConfigError("\n".join(mistakes))
        return cls(tuple(sorted(found.items())))

    @classmethod
    def parse(cls, header: str) -> Self:
        """Read the text of a `Content-Security-Policy` header. Raises `ConfigError`."""
        found: dict[str, str] = {}
        for part in header.split(";"):
            name, _, values = part.strip(" ").partition(" ")
            if name.lower() in found:
                raise ConfigError(f"{name.lower()}: given twice")
            if name:
                found[name.lower()] = values
        return cls.of(found)

    @property
    def header(self) -> str:
        """The header's value. `$NONCE` stands in it where a nonce belongs."""
        return "; ".join(" ".join((name, *values)) for name, values in self.directives)

    @property
    def has_nonce(self) -> bool:
        """Whether each response gets its own nonce."""
        return any(NONCE in values for _, values in self.directives)

    def values(self, name: str) -> tuple[str, ...] | None:
        """Return the values of a directive, or None if the policy does not have it."""
        return dict(self.directives).get(name)

    def with_issuer(self, issuer: str) -> Self:
        """Let pages talk to an OIDC issuer and renew a session in a frame of its.

        Adds the issuer's origin to `connect-src` and `frame-src`. Where such a directive is
        missing, it begins with what it falls back to; where there is no fallback, browsers
        allow the issuer already. Raises `ConfigError` if `issuer` is not an http(s) URL.
        """
        origin = origin_of(issuer)
        directives = dict(self.directives)
        for name, fallbacks in _FALLBACKS.items():
            heir = next((d for d in (name, *fallbacks) if d in directives), None)
            if heir is None or not {origin, origin + "/", "*"}.isdisjoint(directives[heir]):
                continue
            kept = tuple(value for value in directives[heir] if value != NONE)
            directives[name] = (*kept, origin)
        return type(self)(tuple(sorted(directives.items())))


def merged(policies: Iterable[Directives]) -> dict[str, tuple[str, ...]]:
    """Lay policies over each other: the values of a directive are added, each once.

    `'none'` takes back what came before, and gives way to what comes after, because browsers
    ignore it next to other values. `report-to` names one group: the last one.
    """
    result: dict[str, tuple[str, ...]] = {}
    for directives in policies:
        for name, values in directives.items():
            before = result.get(name, ())
            if values and (name in _LAST_WINS or (NONE,) in (before, values)):
                before = ()
            result[name] = tuple(dict.fromkeys((*before, *values)))
    return result


def values_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Split texts at blanks: one variable may hold several values (recorded: 16_variant_config).

    Only the blank separates, so that a tab or a line break is still there to be refused.
    """
    return tuple(value for text in texts for value in text.split(" ") if value)


def unsafe(text: str) -> str | None:
    """Say which character of a text may not stand in a value, and why; None if all may."""
    match = _UNSAFE.search(text)
    if match is None:
        return None
    character = match[0]
    kind = "a control character" if character < " " or character == "\x7f" else "not ASCII"
    return _WHY.get(character, f"contains {character!a}, which is {kind}")


def mistakes_in(name: str, values: Sequence[str]) -> list[str]:
    """Return one line for everything that keeps this directive out of a policy."""
    if not _NAME.fullmatch(name):
        return [f"{name!a} is not the name of a directive: letters, digits and `-` only"]
    problem = _wrong_count(name.lower(), values) or _wrong_value(name.lower(), values)
    wrong = [f"{name}: {value!a} {why}" for value in values if (why := _unfit(value))]
    return [*wrong, *([f"{name}: {problem}"] if problem else [])]


def _unfit(value: str) -> str | None:
    if why := unsafe(value):
        return why
    if not _VALUE.fullmatch(value):
        return "is not one value"
    if NONCE in value and value != NONCE:
        return f"has more than `{NONCE}` in it, which becomes a whole `'nonce-…'`"
    return None


def _wrong_count(name: str, values: Sequence[str]) -> str | None:
    if not values and name not in VALUELESS:
        return f'has no values; to allow nothing write "{NONE}"'
    if values and name in _NEVER_VALUED:
        return "takes no values"
    if len(values) > 1 and name == "report-to":
        return "names one group of endpoints"
    return None


def _wrong_value(name: str, values: Sequence[str]) -> str | None:
    if name == "require-trusted-types-for" and tuple(values) != ("'script'",):
        return "must be \"'script'\""
    if name == "frame-ancestors":
        for value in values:
            if value.startswith("'") and value.lower() not in ("'self'", NONE):
                return f"may say 'self', 'none' or hosts, not {value}"
    return None


def origin_of(url: str) -> str:
    """Return `scheme://host[:port]` of an http(s) URL. Raises `ConfigError` for anything else."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port
    except ValueError:  # UnicodeError is one
        raise ConfigError(f"{url!a} is not a URL") from None
    # `urlsplit` leaves out line breaks and tabs, so the text itself is looked at, too.
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or not url.isprintable():
        raise ConfigError(f"{url!a} is not an http or https URL with a host")
    authority = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{authority}" + (f":{port}" if port is not None else "")


DEFAULT_POLICY = Policy.of(
    {
        "child-src": "'self'",
        "connect-src": "'self' blob: https://raw.githubusercontent.com/opencloud-eu/awesome/",
        "default-src": "'none'",
        "font-src": "'self'",
        "frame-ancestors": "'self'",
        "frame-src": "'self' blob: https://embed.diagrams.net/",
        "img-src": "'self' data: blob: https://raw.githubusercontent.com/opencloud-eu/awesome/",
        "manifest-src": "'self'",
        "media-src": "'self'",
        "object-src": "'self' blob:",
        "script-src": "'self' 'unsafe-inline'",
        "style-src": "'self' 'unsafe-inline'",
    }
)
"""The policy of a gate without a csp.yaml: OpenCloud's. The file csp.yaml says the same."""
