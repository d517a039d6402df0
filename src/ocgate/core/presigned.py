"""Presigned URLs: a signature in the query stands for the user whose key made it.

    OC-Credential   name of the user
    OC-Date         RFC 3339, when it was signed
    OC-Expires      seconds that it is valid, 1 … `Rules.max_expires`
    OC-Verb         the method that it is for
    OC-Algo         never read: the family always derives the same way
    OC-Signature    hex(PBKDF2-HMAC-SHA512(text, key, 10000, 32 bytes)), lower case

The text is described in `ocgate.core.signed_text`, the key is the hex text as the user got
it. Recorded: opencloud-wire §3. Differences from the family, on purpose: a URL from the
future, one that lives longer than it may, a parameter given twice and a pair that cannot be
parsed are refused.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from ocgate.core.errors import BadRequest, ConfigError
from ocgate.core.signed_text import (
    CONSUMED,
    MAX_CANDIDATES,
    Candidate,
    canonical_query,
    has_signature,
    parse_pairs,
)
from ocgate.core.targets import parse_target

ITERATIONS = 10_000
MAX_EXPIRES = 604_800
"""Seven days, what the family's clients are told (ownCloud 10: 1 … 604800)."""

_REQUIRED = tuple(sorted(CONSUMED - {b"OC-Algo"}))
_ABSOLUTE = re.compile(rb"(https?)://([^/?#@]*)(/.*)", re.DOTALL)
_SIGNATURE = re.compile(rb"[0-9a-f]{64}")
_DIGITS = re.compile(rb"[0-9]{1,10}")
_DATE = re.compile(
    r"(\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d{1,6})\d*)?"
    r"(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a URL is refused: `reason` is the code for log and metrics, `sentence` explains it."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator allows. Raises `ConfigError` where that makes no sense.

    `head_as_get` lets a HEAD request use a URL that was signed for GET; `max_expires` and
    `leeway` (how far ahead a client's clock may be) are seconds.
    """

    allowed_methods: frozenset[str] = frozenset(("GET", "HEAD", "PUT"))
    head_as_get: bool = False
    max_expires: int = MAX_EXPIRES
    leeway: int = 60

    def __post_init__(self) -> None:
        if not self.allowed_methods:
            raise ConfigError("Presigned URLs need at least one allowed method.")
        for method in self.allowed_methods:
            if not re.fullmatch(r"[A-Z-]+", method):
                raise ConfigError(f"{method!r} is no HTTP method in capitals.")
        if not 1 <= self.max_expires < 10**10:
            raise ConfigError("The longest OC-Expires has to be between 1 s and 9999999999 s.")
        if self.leeway < 0:
            raise ConfigError("The clock leeway cannot be negative.")


@dataclass(frozen=True, slots=True)
class PresignedURL:
    """A well-formed presigned URL, not yet believed.

    `origin` is that of an absolute-form target, otherwise None. `canonical_query` is the
    query as it was signed.
    """

    credential: str
    date: datetime
    expires: int
    verb: str
    signature: bytes
    origin: bytes | None
    path: bytes
    canonical_query: bytes

    @classmethod
    def parse(cls, path: bytes, query: bytes, *, host: bytes = b"") -> "PresignedURL | None":
        """Read a request target; None if it has no `OC-Signature`.

        `path` is the raw path or an absolute form, whose authority has to be `host`. Raises
        `BadRequest` for a URL that says it is signed but is malformed or ambiguous.
        """
        if not has_signature(query):
            return None
        origin, path = _split_origin(path, host)
        parse_target(path, query, allow_encoded_slash=True)
        pairs = parse_pairs(query)
        values = _signature_parameters(pairs)
        return cls(
            credential=_text(values[b"OC-Credential"]),
            date=_date(_text(values[b"OC-Date"])),
            expires=_seconds(values[b"OC-Expires"]),
            verb=_text(values[b"OC-Verb"]),
            signature=_signature(values[b"OC-Signature"]),
            origin=origin,
            path=path,
            canonical_query=canonical_query(pairs),
        )

    def problems(self, *, method: str, now: datetime, rules: Rules) -> Iterator[Problem]:
        """Yield what is wrong before the signature is looked at; `now` is aware."""
        yield from self._method_problems(method, rules)
        if not 1 <= self.expires <= rules.max_expires:
            yield Problem(
                "malformed", f"OC-Expires is {self.expires} s, allowed is 1 … {rules.max_expires}."
            )
        left = self.seconds_left(now)
        if left > self.expires + rules.leeway:
            yield Problem(
                "not_yet_valid", f"OC-Date is {left - self.expires:.0f} s ahead of the clock here."
            )
        if left <= 0:
            yield Problem("expired", f"It expired {-left:.0f} s ago.")

    def _method_problems(self, method: str, rules: Rules) -> Iterator[Problem]:
        verb = self.verb.upper()
        as_get = rules.head_as_get and method == "HEAD" and verb == "GET"
        if verb != method and not as_get:
            yield Problem("method_mismatch", f"It is for {self.verb}, and the request is {method}.")
        if method not in rules.allowed_methods and not (as_get and "GET" in rules.allowed_methods):
            yield Problem("method_not_allowed", f"{method} is not allowed for presigned URLs.")

    def seconds_left(self, now: datetime) -> float:
        """Return for how long it is valid from `now` on; zero or less once it has expired."""
        return self.expires - (now - self.date).total_seconds()


def derive(text: bytes, key: bytes) -> bytes:
    """Return the signature of `text`; takes milliseconds of processor time."""
    return hashlib.pbkdf2_hmac("sha512", text, key, ITERATIONS, 32).hex().encode()


def find_match(
    signature: bytes, candidates: Iterable[Candidate], keys: Iterable[bytes]
) -> tuple[Candidate, bytes] | None:
    """Return the candidate and the key that make `signature`; at most 8 derivations."""
    held = tuple(keys)
    attempts = [(candidate, key) for candidate in candidates for key in held]
    for candidate, key in attempts[:MAX_CANDIDATES]:
        if hmac.compare_digest(derive(candidate.text, key), signature):
            return candidate, key
    return None


def _split_origin(path: bytes, host: bytes) -> tuple[bytes | None, bytes]:
    if path.startswith(b"/"):
        return None, path
    absolute = _ABSOLUTE.fullmatch(path)
    if absolute is None or absolute[2].lower() != host.lower():
        raise BadRequest("The absolute-form target does not agree with the Host header.")
    return absolute[1] + b"://" + absolute[2], absolute[3]


def _signature_parameters(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name.startswith(b"OC-"):
            if name in values:
                raise BadRequest(f"{_shown(name)} is given twice.")
            values[name] = value
    for name in _REQUIRED:
        if not values.get(name):
            raise BadRequest(f"{_shown(name)} is missing or empty.")
    return values


def _shown(name: bytes) -> str:
    return name.decode("ascii", "backslashreplace")


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise BadRequest("An OC-* parameter is not UTF-8.") from None
    if _CONTROLS.search(text):
        raise BadRequest("An OC-* parameter contains a control character.")
    return text


def _date(text: str) -> datetime:
    found = _DATE.fullmatch(text)
    try:
        if found is not None:
            # Python takes microseconds; clients send up to nanoseconds.
            fraction = f".{found[2]:0<6}" if found[2] else ""
            return datetime.fromisoformat(f"{found[1]}{fraction}{found[3]}")
    except ValueError:
        pass
    raise BadRequest("OC-Date is no date and time with zone in the form of RFC 3339.")


def _seconds(value: bytes) -> int:
    if _DIGITS.fullmatch(value) is None:
        raise BadRequest("OC-Expires is no number of seconds in decimal digits.")
    return int(value)


def _signature(value: bytes) -> bytes:
    if _SIGNATURE.fullmatch(value) is None:
        raise BadRequest("OC-Signature is not 64 lower-case hex digits.")
    return value
