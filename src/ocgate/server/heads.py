"""What a request head must look like before anybody acts on it (RFC 9112 §3, §6)."""

import re
from dataclasses import dataclass

from ocgate.server.limits import Limits
from ocgate.server.refusals import Refused

Header = tuple[bytes, bytes]

UNFRAMED = -1
"""`Head.length` of a chunked body."""

_WATCHED = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade"))
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_ABSOLUTE = re.compile(rb"(https?)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
_LENGTH = re.compile(rb"[0-9]{1,15}")


@dataclass(slots=True)
class Head:
    """A head that was found in order.

    `origin` is `scheme://authority` of a target in absolute form, the scheme in lower case, or
    empty. `has_empty_query` tells `/a?` from `/a`. `length` is the number of body bytes,
    `UNFRAMED` for a chunked one. `upgrade` is the protocol that was asked for, in lower case, or
    empty.
    """

    origin: bytes
    raw_path: bytes
    query: bytes
    has_empty_query: bool
    length: int
    expects_continue: bool
    upgrade: bytes


def parse_head(
    method: bytes, target: bytes, version: str, headers: list[Header], limits: Limits
) -> Head:
    """Judge what httptools made of a head, header names in lower case. Raises `Refused`.

    httptools is strict about framing already; whatever this door relies on is said here again,
    so that a lenient release of a parser opens nothing.
    """
    if version not in ("1.1", "1.0"):
        raise Refused(400, "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    if len(headers) > limits.header_count:
        raise Refused(431, "There are too many header fields.")
    hosts: list[bytes] = []
    lengths: list[bytes] = []
    codings: list[bytes] = []
    upgrade = b""
    expects_continue = False
    for name, value in headers:
        if name not in _WATCHED:
            continue
        if name == b"host":
            hosts.append(value)
        elif name == b"content-length":
            lengths.append(value)
        elif name == b"transfer-encoding":
            codings.append(value)
        elif name == b"expect":
            expects_continue = value.lower() == b"100-continue" and version == "1.1"
        else:
            upgrade = value.lower()
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        raise Refused(400, "There must be exactly one valid Host header.")
    length = _body_length(lengths, codings, version) if lengths or codings else 0
    origin, target = _split_origin(method, target, hosts[0])
    raw_path, mark, query = target.partition(b"?")
    has_empty_query = bool(mark) and not query
    return Head(origin, raw_path, query, has_empty_query, length, expects_continue, upgrade)


def _body_length(lengths: list[bytes], codings: list[bytes], version: str) -> int:
    if codings:
        if lengths or version != "1.1" or [coding.lower() for coding in codings] != [b"chunked"]:
            raise Refused(400, "The length of the body is ambiguous.")
        return UNFRAMED
    if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
        raise Refused(400, "The length of the body is ambiguous.")
    return int(lengths[0])


def _split_origin(method: bytes, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    if method == b"CONNECT":
        raise Refused(405, "This server is not a forward proxy.")
    if not target.isascii() or b"#" in target:
        raise Refused(400, "The request target has a character that must be percent-encoded.")
    if target.startswith(b"/") or (target == b"*" and method == b"OPTIONS"):
        return b"", target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or absolute[2].lower() != host.lower():
        raise Refused(400, "The request target is not on this host.")
    scheme, authority, rest = absolute.groups()
    return scheme.lower() + b"://" + authority, rest if rest.startswith(b"/") else b"/" + rest
