"""Paths and addresses as the public sees them, and as one address of a backend does."""

import re
from typing import Final

from ocgate.core.errors import BadGateway, ConfigError
from ocgate.core.targets import within
from ocgate.upstream.origin import Origin

_ABSOLUTE: Final = re.compile(rb"(https?)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


class AddressMap:
    """Rewrites between public paths and those of one address.

    `public` and `backend` are prefixes of whole segments without a slash at their end: with
    `/files` and `/dav`, `/files/a` is `/dav/a` at the backend. A path outside the public
    prefix (a route by query or regular expression) only gets the origin's own prefix.
    """

    __slots__ = ("_backend", "_identical", "_public", "host", "origin", "preserve_host")

    def __init__(
        self,
        origin: Origin,
        *,
        public: bytes = b"",
        backend: bytes = b"",
        preserve_host: bool = True,
    ) -> None:
        for prefix in (public, backend):
            if prefix and (not prefix.startswith(b"/") or prefix.endswith(b"/")):
                raise ConfigError(
                    f"{prefix!r}: a path prefix starts with a slash and does not end with one"
                )
        self.origin = origin
        self.preserve_host = preserve_host
        self.host = origin.authority
        self._public = public
        self._backend = origin.prefix + backend
        self._identical = self._public == self._backend

    def to_backend(self, raw_path: bytes) -> bytes:
        """Return the path to ask the backend for."""
        if self._identical:
            return raw_path
        public = self._public
        if raw_path.startswith(public) and raw_path[len(public) : len(public) + 1] in (b"", b"/"):
            return (self._backend + raw_path[len(public) :]) or b"/"
        return self.origin.prefix + raw_path

    def to_public(self, raw_path: bytes) -> bytes:
        """Return the public path of what the backend calls `raw_path`.

        A path outside the backend's prefix has no public one and is returned as it came.
        """
        if self._identical or not within(raw_path, self._backend):
            return raw_path
        return (self._public + raw_path[len(self._backend) :]) or b"/"

    def destination(self, raw_path: bytes, query: bytes, host: bytes) -> bytes:
        """Return the `Destination` for the backend, as it sees itself (RFC 4918 §10.3).

        `host` is the Host that the backend gets. Raises BadGateway for a path that another
        backend serves (RFC 4918 §9.8.5: 502).
        """
        if not within(raw_path, self._public):
            raise BadGateway("Destination is not on the same backend")
        target = self.to_backend(raw_path) + (b"?" + query if query else b"")
        return b"%b://%b%b" % (self.origin.scheme.encode(), host, target)

    def location(self, value: bytes, public_origin: bytes, host: bytes) -> bytes:
        """Return `Location` or `Content-Location` as the public has to see it.

        Only what points to the backend itself is rewritten: its own origin, the Host that it
        was told, or a bare path.
        """
        if value.startswith(b"/") and not value.startswith(b"//"):
            return self._public_target(value)
        absolute = _ABSOLUTE.fullmatch(value)
        if absolute is None or absolute[2].lower() not in (self.host.lower(), host.lower()):
            return value
        return public_origin + self._public_target(absolute[3])

    def _public_target(self, target: bytes) -> bytes:
        end = min((at for at in map(target.find, (b"?", b"#")) if at >= 0), default=len(target))
        return self.to_public(target[:end]) + target[end:]
