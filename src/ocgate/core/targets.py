"""What a request target may look like, and under which path it is matched.

The target that was matched is the target that is forwarded, byte for byte; so whatever a file
server behind the gate could read differently is refused before anybody decides about it:

- a `..` segment in any spelling: raw, escaped, followed by `;…`, between escaped slashes;
- NUL and other control characters, raw or escaped; a raw byte outside printable ASCII;
- a backslash, `#`; an escaped slash or backslash (unless allowed by configuration);
- a broken escape (`%zz`), and text that is not UTF-8 once it is decoded;
- an escape within an escape (`%252e`) whose inner byte is a letter, a digit, one of `-._~`, a
  separator (`/`, a backslash, `%`, `;`) or a control character, or whose text is not UTF-8.

`100%25.txt` (a file called `100%.txt`) and `a%2520b` (`a%20b`) pass. Empty segments (`//`) and
`.` segments are sent by WebDAV clients: they are forwarded as they came and matched folded.

Sources: RFC 3986 §2 and §6.2, RFC 9110 §4.2, RFC 9112 §3.2, RFC 4918 §9.8.3 and §10.3.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ocgate.core.errors import BadRequest, OcgateError

TARGET = "ocgate.target"
"""Scope key of the request's `Target`."""

DESTINATION = "ocgate.destination"
"""Scope key of the `Target` in the `Destination` header, where there is one."""

EMPTY_QUERY = "ocgate.empty_query"
"""Scope key, present where a target ends with a bare `?`: `query_string` cannot tell it."""

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_CONTROLS = bytes([*range(0x20), 0x7F])
# Escapes of these bytes stay escapes in the folded form, because the byte itself would change
# the structure of a target. All other printable ASCII stands for itself.
_STRUCTURAL = b" #%/?\\"
# An escape within an escape of one of these can turn into another path at a file server that
# decodes twice.
_NEVER_TWICE = _UNRESERVED + _CONTROLS + b"/\\%;"

_PLAIN = re.compile(rb"(?:/\.?[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)+/?|/")
_QUERY = re.compile(rb"[\x21\x22\x24-\x7e]*")
_NOT_A_PATH = re.compile(rb"[^\x21-\x7e]|[\\#?]")
_ESCAPE = re.compile(rb"%..")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPED_CONTROL = re.compile(rb"%(?:[01][0-9A-F]|7F)")
_ESCAPED_SLASH = re.compile(rb"%2F|%5C")
_ESCAPED_TWICE = re.compile(rb"%25([0-9A-Fa-f]{2})")
_PARENT_SEGMENT = re.compile(rb"(?:/|%2F|%5C)\.\.(?:[/;]|%2F|%5C|\Z)")
_PARAMETERS = re.compile(rb";[^/]*")
_ABSOLUTE = re.compile(rb"(https?)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}


def _canonical_escapes() -> dict[bytes, bytes]:
    """Map every spelling of an escape to the byte itself, or to the escape in capitals."""
    escapes: dict[bytes, bytes] = {}
    for byte in range(0x100):
        escape = b"%%%02X" % byte
        literal = chr(byte).isascii() and byte not in _CONTROLS + _STRUCTURAL
        for high in {escape[1:2], escape[1:2].lower()}:
            for low in {escape[2:3], escape[2:3].lower()}:
                escapes[b"%" + high + low] = bytes([byte]) if literal else escape
    return escapes


_CANONICAL = _canonical_escapes()


class ForeignDestination(OcgateError):
    """`Destination` names another server: 502 as RFC 4918 §9.8.3 has it."""

    status = 502


@dataclass(frozen=True, slots=True)
class Target:
    r"""A request target that means one thing.

    `raw_path` and `query` are the bytes as received, to be signed and forwarded. `folded` is
    the path to be matched: escapes of printable ASCII other than space and `#%/?\` are decoded
    once, the remaining escapes are written in capitals, empty and `.` segments are gone; a
    slash at the end stays. Two paths that a file server reads alike fold alike.
    """

    raw_path: bytes
    query: bytes
    folded: bytes


def parse_target(raw_path: bytes, query: bytes, *, allow_encoded_slash: bool = False) -> Target:
    """Return the target of a request, split at the first `?`.

    `allow_encoded_slash` lets `%2F` and `%5C` through as characters of a segment. Raises
    `BadRequest` for everything that the module docstring lists.
    """
    if not _QUERY.fullmatch(query):
        raise BadRequest("the query has a character that must be percent-encoded")
    if _PLAIN.fullmatch(raw_path):
        return Target(raw_path, query, raw_path)
    return Target(raw_path, query, _folded(_canonical(raw_path, allow_encoded_slash)))


def parse_destination(
    value: bytes,
    *,
    host: bytes,
    allow_encoded_slash: bool = False,
    origins: Collection[bytes] = (),
) -> Target:
    """Return the target that a `Destination` header names.

    `value` is an absolute path, or an `http(s)` URI whose authority is `host` (the request's
    Host, as sent) or whose origin is one of `origins` (`scheme://host[:port]`, lower case).
    Raises `ForeignDestination` for another authority, otherwise as `parse_target`.
    """
    if value.startswith(b"/"):
        if value.startswith(b"//"):
            raise BadRequest("Destination is neither an absolute URI nor an absolute path")
        rest = value
    else:
        absolute = _ABSOLUTE.fullmatch(value)
        if absolute is None:
            raise BadRequest("Destination is neither an absolute URI nor an absolute path")
        scheme, authority, rest = absolute[1].lower(), absolute[2].lower(), absolute[3]
        if not authority or b"@" in authority or b"\\" in authority:
            raise BadRequest("Destination has no plain host name")
        ours = _without_default_port(scheme, host.lower())
        theirs = _without_default_port(scheme, authority)
        if theirs != ours and not _is_origin_of(scheme, theirs, origins):
            raise ForeignDestination("Destination is on another server")
        if not rest.startswith(b"/"):
            rest = b"/" + rest
    path, _, query = rest.partition(b"?")
    return parse_target(path, query, allow_encoded_slash=allow_encoded_slash)


def within(path: bytes, prefix: bytes) -> bool:
    """Say whether `path` is `prefix` or lies below it: `/a` has `/a`, `/a/` and `/a/b`, not `/ab`.

    A slash at the end of `prefix` means nothing, and `/` has everything.
    """
    stem = prefix.rstrip(b"/")
    return path.startswith(stem) and path[len(stem) : len(stem) + 1] in (b"", b"/")


def readings(target: Target) -> tuple[bytes, ...]:
    """Return every path that some file server may take this target for, `folded` first.

    One path for nearly every request. Further ones where the target has empty or `.` segments,
    `;` parameters, escaped slashes or escapes within escapes. Where they fall under different
    protection, the stricter one holds: whatever is granted must be granted to all of them.
    """
    if target.folded is target.raw_path and b";" not in target.folded:
        return (target.folded,)
    found = dict.fromkeys((target.folded, _decoded_once(target.raw_path)))
    for reread in (_decoded_once_more, _with_plain_slashes, _without_parameters, _folded):
        found.update(dict.fromkeys([reread(path) for path in found]))
    return tuple(found)


def _canonical(raw_path: bytes, allow_encoded_slash: bool) -> bytes:
    if not raw_path.startswith(b"/"):
        raise BadRequest("the path does not start with a slash")
    if _NOT_A_PATH.search(raw_path):
        raise BadRequest("the path has a character that must be percent-encoded")
    path = raw_path
    if b"%" in raw_path:
        if _BROKEN_ESCAPE.search(raw_path):
            raise BadRequest("the path has a broken percent-encoding")
        path = _decoded_once(raw_path)
        _refuse_escapes(path, allow_encoded_slash)
    if _PARENT_SEGMENT.search(path):
        raise BadRequest("the path has a '..' segment")
    return path


def _refuse_escapes(path: bytes, allow_encoded_slash: bool) -> None:
    if _ESCAPED_CONTROL.search(path):
        raise BadRequest("the path has a control character")
    if not allow_encoded_slash and _ESCAPED_SLASH.search(path):
        raise BadRequest("the path has an encoded slash or backslash")
    text = unquote_to_bytes(path)
    twice = _ESCAPED_TWICE.findall(path)
    if any(int(inner, 16) in _NEVER_TWICE for inner in twice):
        raise BadRequest("the path has a doubly encoded character")
    try:
        text.decode()
        if twice:
            unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise BadRequest("the path is not UTF-8") from None


def _decoded_once(path: bytes) -> bytes:
    return _ESCAPE.sub(lambda escape: _CANONICAL[escape[0]], path)


def _decoded_once_more(path: bytes) -> bytes:
    return _ESCAPED_TWICE.sub(lambda escape: _CANONICAL[b"%" + escape[1]], path)


def _with_plain_slashes(path: bytes) -> bytes:
    return _ESCAPED_SLASH.sub(b"/", path)


def _without_parameters(path: bytes) -> bytes:
    return _PARAMETERS.sub(b"", path)


def _folded(path: bytes) -> bytes:
    if b"//" not in path and b"/." not in path:
        return path
    segments = path.split(b"/")
    named = [segment for segment in segments if segment not in (b"", b".")]
    end = b"/" if named and segments[-1] in (b"", b".") else b""
    return b"/" + b"/".join(named) + end


def _without_default_port(scheme: bytes, authority: bytes) -> bytes:
    return authority.removesuffix(_DEFAULT_PORTS[scheme])


def _is_origin_of(scheme: bytes, authority: bytes, origins: Collection[bytes]) -> bool:
    for origin in origins:
        origin_scheme, _, origin_authority = origin.partition(b"://")
        if origin_scheme == scheme and authority == _without_default_port(scheme, origin_authority):
            return True
    return False
