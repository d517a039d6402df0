"""What a backend is told about a request, made from an ASGI scope in one pass.

Framing, forwarding and identity fields are ours alone; the rest is passed on byte for byte in
the order it came. What the client's `Connection` names is removed before our own fields are
added, and never what the backend's decision rests on (CVE-2024-45410: a proxy's own fields
removed by a client).
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

from starlette.types import Scope

from ocgate.core.errors import BadRequest
from ocgate.core.forwarded import FORWARDED_FAMILY
from ocgate.core.header_names import Header, HeaderFamily, folded_name
from ocgate.core.identity import PRINCIPAL
from ocgate.upstream.outgoing_request import FORWARDED_ORIGIN, OutgoingRequest

HeadersFor = Callable[[Scope], Iterable[Header]]

REQUEST_ID: Final = "ocgate.request_id"

_HOP_BY_HOP: Final = (
    "Keep-Alive",
    "Proxy",  # CGI backends read it as the variable HTTP_PROXY (CVE-2016-5385)
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "HTTP2-Settings",
    "TE",
    "Trailer",
)
_READ: Final = frozenset(
    {
        b"authorization",
        b"connection",
        b"content-length",
        b"destination",
        b"expect",
        b"host",
        b"transfer-encoding",
        b"upgrade",
        b"x-request-id",
    }
)
_NEVER_NAMED: Final = frozenset({b"authorization", b"cookie"})
"""Fields that a client cannot have removed through `Connection`, beyond those that are written
anew anyway."""

_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST: Final = re.compile(rb"[\w.~!$&'()*+,;=%:\[\]-]*", re.ASCII)
_MOST_REMEMBERED: Final = 1024
_LONGEST_REMEMBERED: Final = 256

Kind = Literal["pass", "drop", "read"]


class RequestHeads:
    """Reads scopes. Its options are described at `Relay`."""

    def __init__(
        self,
        *,
        strip: Iterable[str],
        headers_for: HeadersFor | None,
        forward_authorization: bool,
    ) -> None:
        self._dropped = HeaderFamily([*strip, *FORWARDED_FAMILY, *_HOP_BY_HOP])
        self._headers_for = headers_for
        self._forward_authorization = forward_authorization
        self._ours: set[bytes] = set()
        self._kinds: dict[bytes, Kind] = {}
        self._forwarded: dict[tuple[Any, ...], tuple[bytes, ...]] = {}

    def read(self, scope: Scope) -> OutgoingRequest:
        """Return the request to send. Raises BadRequest where its framing is ambiguous."""
        request = OutgoingRequest(scope)
        identity = self._identity(scope) if self._headers_for is not None else ()
        kinds = self._kinds
        fields = request.fields
        named: list[bytes] = []
        for header in scope["headers"]:
            name = header[0]
            kind = kinds.get(name) or self._kind(name)
            if kind == "pass":
                fields.append(b": ".join(header))
            elif kind == "read":
                self._read(request, name.lower(), header[1], named)
        if named:
            _remove_named(fields, named)
        if request.chunked and request.length >= 0:
            raise BadRequest("Content-Length and Transfer-Encoding exclude each other")
        request.expects_continue = request.expects_continue and request.has_body
        fields += self._forwarding(scope, request.host)
        request_id: str | None = scope.get(REQUEST_ID)
        if request_id is not None:
            fields.append(b"x-request-id: " + request_id.encode("ascii", "replace"))
        fields += identity
        return request

    def _read(
        self, request: OutgoingRequest, name: bytes, value: bytes, named: list[bytes]
    ) -> None:
        """Take a field out that is not simply passed on."""
        scope = request.scope
        if name == b"host":
            _refuse_second(request.host, "Host")
            request.host = value
        elif name == b"connection":
            if value not in (b"keep-alive", b"close"):
                named += (token.strip() for token in value.lower().split(b","))
        elif name == b"authorization":
            if self._forward_authorization or scope.get(PRINCIPAL) is None:
                request.fields.append(b"authorization: " + value)
        elif name == b"content-length":
            if request.length >= 0 or not _LENGTH.fullmatch(value):
                raise BadRequest("Content-Length is not one number")
            request.length = int(value)
        elif name == b"transfer-encoding":
            if request.chunked or value.strip().lower() != b"chunked":
                raise BadRequest("the transfer coding is not chunked")
            request.chunked = True
        elif name == b"expect":
            request.expects_continue = value.strip().lower() == b"100-continue"
        elif name == b"upgrade":
            request.upgrade = value.strip().lower()
        elif name == b"destination":
            _refuse_second(request.destination, "Destination")
            request.destination = value
        elif REQUEST_ID not in scope:
            request.fields.append(b"x-request-id: " + value)

    def _kind(self, name: bytes) -> Kind:
        kind: Kind = "pass"
        if not _NAME.fullmatch(name):
            raise BadRequest("a header field has no valid name")
        if name.lower() in _READ:
            kind = "read"
        elif self._dropped[name] or folded_name(name) in self._ours:
            kind = "drop"
        # Bounded, because clients choose the names.
        if len(self._kinds) < _MOST_REMEMBERED and len(name) <= _LONGEST_REMEMBERED:
            self._kinds[name] = kind
        return kind

    def _identity(self, scope: Scope) -> list[bytes]:
        assert self._headers_for is not None  # noqa: S101
        lines: list[bytes] = []
        for name, value in self._headers_for(scope):
            if name not in self._ours:
                # what is once ours is never taken from a client again, in any spelling
                self._ours |= {name, folded_name(name)}
                self._kinds.clear()
            lines.append(b"%b: %b" % (name, value))
        return lines

    def _forwarding(self, scope: Scope, host: bytes) -> tuple[bytes, ...]:
        """Return the forwarding fields; the same few clients ask again and again."""
        client = scope.get("client")
        key = (client[0] if client else "", scope["scheme"], host, scope.get(FORWARDED_ORIGIN))
        lines = self._forwarded.get(key)
        if lines is None:
            lines = _forwarding_fields(*key)
            # Bounded in both ways, because clients choose the hosts.
            if len(host) > _LONGEST_REMEMBERED:
                return lines
            if len(self._forwarded) >= _MOST_REMEMBERED:
                self._forwarded.clear()
            self._forwarded[key] = lines
        return lines


def _forwarding_fields(
    client: str, scheme: str, host: bytes, origin: bytes | None
) -> tuple[bytes, ...]:
    if origin is not None:
        host = origin.partition(b"://")[2]
    if not _HOST.fullmatch(host):
        raise BadRequest("Host is not a host")
    address = client.encode("ascii", "replace")
    proto = scheme.encode("ascii")
    node = b'"[%b]"' % address if b":" in address else address or b"unknown"
    lines = [b"x-forwarded-proto: " + proto]
    elements = [b"for=" + node, b"proto=" + proto]
    if address:
        lines.append(b"x-forwarded-for: " + address)
    if host:
        lines.append(b"x-forwarded-host: " + host)
        elements.append(b'host="%b"' % host)
    return (*lines, b"forwarded: " + b";".join(elements))


def _remove_named(fields: list[bytes], named: Iterable[bytes]) -> None:
    """Remove what `Connection` declared to be for this hop (RFC 9110 §7.6.1)."""
    drop = tuple(name + b":" for name in named if name and name not in _NEVER_NAMED)
    if drop:
        fields[:] = [line for line in fields if not line.lower().startswith(drop)]


def _refuse_second(present: bytes, name: str) -> None:
    if present:
        raise BadRequest(f"there is more than one {name}")
