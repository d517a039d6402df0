"""A request on its way to a backend, as far as it does not depend on the backend's address."""

from typing import Final

from starlette.types import Scope

from ocgate.core.errors import BadRequest
from ocgate.core.targets import DESTINATION, EMPTY_QUERY, parse_destination
from ocgate.upstream.mapping import AddressMap

FORWARDED_ORIGIN: Final = "ocgate.forwarded_origin"
"""Scope key: `scheme://host` as a trusted proxy said it."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "SEARCH"})
"""Methods that may be sent twice when the first answer never began."""

_METHODS: Final = {
    method: method.encode("ascii") + b" "
    for method in (*SAFE_METHODS, "PUT", "POST", "DELETE", "MKCOL", "MOVE", "COPY", "PROPPATCH")
}


class OutgoingRequest:
    """Filled by `RequestHeads.read`.

    `fields` are complete field lines without a line end. `length` is that of the body, -1 when
    the client did not tell.
    """

    __slots__ = (
        "chunked",
        "destination",
        "expects_continue",
        "fields",
        "host",
        "length",
        "method",
        "scope",
        "upgrade",
    )

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.fields: list[bytes] = []
        self.host = self.destination = self.upgrade = b""
        self.length = -1
        self.chunked = self.expects_continue = False

    @property
    def has_body(self) -> bool:
        """Whether there is anything to upload."""
        return self.length > 0 or self.chunked

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent a second time after the backend hung up."""
        return self.method in SAFE_METHODS and self.length <= 0 and not self.chunked

    def host_at(self, address: AddressMap) -> bytes:
        """Return the Host that this address gets."""
        return (self.host if address.preserve_host else b"") or address.host

    def public_origin(self) -> bytes:
        """Return `scheme://host` as the client wrote it."""
        origin: bytes | None = self.scope.get(FORWARDED_ORIGIN)
        return origin or b"%b://%b" % (self.scope["scheme"].encode(), self.host)

    def head(self, address: AddressMap, *, upgrade: bool = False) -> bytes:
        """Return the complete head for that address; `upgrade` asks for a WebSocket.

        Raises BadRequest where a server in front let a line break or a space pass.
        """
        target = address.to_backend(self.scope["raw_path"])
        query: bytes = self.scope["query_string"]
        if query or EMPTY_QUERY in self.scope:
            target = b"%b?%b" % (target, query)
        method = _METHODS.get(self.method) or self.method.encode("ascii") + b" "
        host = self.host_at(address)
        lines = [method + target + b" HTTP/1.1", b"host: " + host, *self.fields]
        if self.chunked:
            lines.append(b"transfer-encoding: chunked")
        elif self.length >= 0:
            lines.append(b"content-length: %d" % self.length)
        if self.expects_continue:
            lines.append(b"expect: 100-continue")
        if self.destination:
            lines.append(b"destination: " + self._destination_at(address, host))
        if upgrade:
            lines += (b"connection: upgrade", b"upgrade: websocket")
        lines += (b"", b"")
        head = b"\r\n".join(lines)
        if (
            head.count(b"\n") != len(lines) - 1
            or head.count(b"\r") != len(lines) - 1
            or b"\0" in head
            or b" " in target
        ):
            raise BadRequest("the request has a character that HTTP does not allow")
        return head

    def _destination_at(self, address: AddressMap, host: bytes) -> bytes:
        target = self.scope.get(DESTINATION)
        if target is None:
            target = parse_destination(
                self.destination, host=self.host, origins=(self.public_origin(),)
            )
        return address.destination(target.raw_path, target.query, host)
