"""Fields of an answer that are written out once, for all the answers that have them."""

from collections.abc import Collection
from dataclasses import dataclass

FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection"))
"""Fields that the door writes itself."""

CONTROLS = bytes([*range(0x09), *range(0x0A, 0x20), 0x7F])
"""What no field may hold (RFC 9110 §5.5): every control character but the tab."""

FIELDS = "ocgate.fields"
"""Extension, and key of `http.response.start`: fields in their final form (`Fields`), which
follow those in `headers`."""

BODY_FOLLOWS = "ocgate.body_follows"
"""Key of `http.response.start`: the application sends body without waiting for anything."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Field lines that were looked at once, for all the answers that have them."""

    lines: bytes

    @classmethod
    def of(cls, headers: Collection[tuple[bytes, bytes]]) -> "Fields":
        """Write them out. Raises ValueError for what may not be added to an answer."""
        lines = [b"%b: %b" % (name.lower(), value) for name, value in headers]
        if any(name.lower() in FRAMING for name, _ in headers):
            raise ValueError("the framing of an answer is not a field to add")
        if any(line.translate(None, CONTROLS) != line for line in lines):
            raise ValueError("a response header has a control character")
        return cls(b"".join(line + b"\r\n" for line in lines))
