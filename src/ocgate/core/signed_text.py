"""The text under the signature of a presigned URL, in every spelling that it may have had.

A client signs `origin + path + "?" + query`. The query is canonical: the other parameters
sorted by name, then the four signed `OC-*` ones, all encoded as Go's `url.Values.Encode` does
it. Origin and path are as the client wrote them, and on the way here a proxy may have changed
both: so there is a short list of candidates. All spellings of a path in it decode to the same
segments, so no candidate says that another file was meant.

Recorded: opencloud-wire §3; asked for in ocis#10180 (`$`), opencloud#1361 (`[`, `]`).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, unquote_to_bytes

from ocgate.core.errors import BadRequest

MAX_CANDIDATES = 8

CONSUMED = frozenset(
    (b"OC-Algo", b"OC-Credential", b"OC-Date", b"OC-Expires", b"OC-Signature", b"OC-Verb")
)
"""The parameters that belong to the signature, and not to the request that it is for."""

_SIGNED = (b"OC-Credential", b"OC-Date", b"OC-Expires", b"OC-Verb")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

_PORT = re.compile(rb":[0-9]*\Z")
# Addresses, names of one label (a container) and names that no public DNS has (RFC 6761,
# RFC 6762, ICANN's .internal): what a proxy sends as Host unless it is told otherwise.
_INTERNAL = re.compile(rb"|\[.*\]|[0-9.]+|[^.]+|.+\.(?:localhost|local|internal)")

# What encodeURI and encodeURIComponent of ECMAScript leave alone beside letters, digits and
# `-._~`; of the former without `/?#`, which would change the structure of the target.
_ENCODE_URI = b"!*'();:@&=+$,"
_ENCODE_URI_COMPONENT = b"!*'()"

_RESERVED = {b"$": b"%24", b"[": b"%5B", b"]": b"%5D"}
_LITERAL = {escape: char for char, escape in _RESERVED.items()}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One text that may have been signed, and the names of the two choices in it."""

    origin: str
    form: str
    text: bytes


def parse_pairs(query: bytes) -> list[tuple[bytes, bytes]]:
    """Return the decoded names and values of a query, in order; empty pairs are left out.

    Raises `BadRequest` for a pair that has no single meaning: with `;` (some servers split
    there) or with a broken escape. Such a pair cannot be signed, so nobody may add one.
    """
    pairs: list[tuple[bytes, bytes]] = []
    for pair in query.split(b"&"):
        if not pair:
            continue
        if b";" in pair:
            raise BadRequest("A query parameter contains ';', which has to be written %3B.")
        if _BROKEN_ESCAPE.search(pair):
            raise BadRequest("A query parameter contains a broken percent-encoding.")
        name, _, value = pair.replace(b"+", b" ").partition(b"=")
        pairs.append((unquote_to_bytes(name), unquote_to_bytes(value)))
    return pairs


def canonical_query(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the query as it is signed: other parameters by name, then the signed `OC-*` ones."""
    others = sorted((pair for pair in pairs if pair[0] not in CONSUMED), key=lambda pair: pair[0])
    ours = dict(pairs)
    signed = [(name, ours[name]) for name in _SIGNED]
    encoded = (f"{quote_plus(name)}={quote_plus(value)}" for name, value in (*others, *signed))
    return "&".join(encoded).encode()


def has_signature(query: bytes) -> bool:
    """Tell whether the query has an `OC-Signature`, in whatever spelling of the name."""
    return any(_name(pair) == b"OC-Signature" for pair in query.split(b"&"))


def without_signature(query: bytes) -> bytes:
    """Return the query without the `OC-*` pairs of the signature, other pairs byte for byte."""
    return b"&".join(pair for pair in query.split(b"&") if _name(pair) not in CONSUMED)


def origins(
    *, public: bytes | None, host: bytes, scheme: str, forwarded: bytes | None
) -> tuple[tuple[str, bytes], ...]:
    """Return the origins that a client may have seen, the likeliest first, by name.

    `public` and `forwarded` are `scheme://host`, `host` is the Host header as sent and
    `scheme` that of the connection. The public origin counts if `host` names it, too, or is
    of the kind that only a proxy in front writes; a client that sent another public name
    had not the public URL before it.

    The family signs `https` whatever the connection is, because it expects TLS to end in
    front of it; a client of a plain connection signs what it sees.
    """
    found: list[tuple[str, bytes]] = []
    if public is not None and (forwarded is not None or _may_stand_for(public, host)):
        found.append(("public", public))
    if host:
        found.append(("host", b"https://" + host))
        if scheme == "http":
            found.append(("plain_host", b"http://" + host))
    if forwarded is not None:
        found.append(("forwarded", forwarded))
    return tuple(found)


def candidates(
    path: bytes,
    query: bytes,
    origins: Iterable[tuple[str, bytes]],
    *,
    prefer: tuple[str, str] | None = None,
) -> tuple[Candidate, ...]:
    """Return at most `MAX_CANDIDATES` different texts; `query` is canonical.

    `prefer` are the names of the origin and the form that fitted last: they come first.
    """
    named = tuple(origins)
    every = [
        Candidate(origin_name, form, origin + spelling + b"?" + query)
        for form, spelling in path_forms(path)
        for origin_name, origin in named
    ]
    every.sort(key=lambda candidate: (candidate.origin, candidate.form) != prefer)
    different: dict[bytes, Candidate] = {}
    for candidate in every:
        different.setdefault(candidate.text, candidate)
    return tuple(different.values())[:MAX_CANDIDATES]


def path_forms(path: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the spellings of a path that clients and proxies use, with their names."""
    yield "as_received", path
    segments = [unquote_to_bytes(segment) for segment in path.split(b"/")]
    yield "reserved_encoded", _replaced(path, _RESERVED)
    yield "reserved_literal", _replaced(path, _LITERAL)
    yield "encode_uri", _quoted(segments, _ENCODE_URI)
    yield "encode_uri_component", _quoted(segments, _ENCODE_URI_COMPONENT)


def _may_stand_for(public: bytes, host: bytes) -> bool:
    name = _PORT.sub(b"", host).lower()
    return name == _PORT.sub(b"", public.partition(b"://")[2]).lower() or bool(
        _INTERNAL.fullmatch(name)
    )


def _replaced(path: bytes, spellings: dict[bytes, bytes]) -> bytes:
    return re.sub(
        rb"%24|%5B|%5D|[$\[\]]",
        lambda found: spellings.get(found[0].upper(), found[0]),
        path,
        flags=re.IGNORECASE,
    )


def _quoted(segments: Iterable[bytes], safe: bytes) -> bytes:
    return "/".join(quote(segment, safe=safe) for segment in segments).encode()


def _name(pair: bytes) -> bytes:
    name = pair.partition(b"=")[0]
    return unquote_to_bytes(name.replace(b"+", b" ")) if b"%" in name else name
