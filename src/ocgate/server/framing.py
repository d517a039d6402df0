"""Where the pieces of a message end, and how much of it is not content."""

from ocgate.server.heads import UNFRAMED
from ocgate.server.limits import Limits
from ocgate.server.refusals import Refused

_EMPTY_LINE = b"\r\n\r\n"
# Sixteen digits of size and two line ends, which is all that a chunk needs beside its content.
_CHUNK_BYTES = 20
# Searching bulk data would cost more than all the rest of an upload.
_SEARCHED = 16 * 1024


class Framing:
    """Counts through one message after the other.

    A head and a chunked message can only end with an empty line, so no piece that ends there
    reaches into the next message. What a chunked body has beside its content (size lines,
    extensions, trailers) is bounded, because it is work that nobody asked for.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.begin()

    def begin(self) -> None:
        """Start with a head."""
        self.in_head = True
        self.left = 0
        self.unwanted = 0
        self._head_bytes = 0
        self._counting = False
        self._tail = b""
        self._chunks = 0
        self._content = 0
        self._overhead = 0
        self._trailers = 0

    def expect(self, length: int) -> None:
        """Go on with a body of that length, or `UNFRAMED`."""
        self.in_head = False
        self.left = length
        self._tail = b""

    def end_of_piece(self, data: bytes) -> int:
        """Return how much of `data` belongs to this message; may be more than its size.

        Only of a chunked body in bulk the answer may be too much; `on_message_begin` tells then.
        """
        if not self.in_head and self.left != UNFRAMED:
            return self.left
        if len(data) > _SEARCHED and not self.in_head:
            self._tail = data[-3:]
            return len(data)
        tail = self._tail
        # an empty line may have begun in the data before
        found = (tail + data[:3]).find(_EMPTY_LINE) if tail else -1
        if found >= 0:
            end = found + 4 - len(tail)
        else:
            found = data.find(_EMPTY_LINE)
            end = found + 4 if found >= 0 else len(data)
        self._tail = b"" if found >= 0 else (tail + data[-3:])[-3:]
        return end

    def before(self, piece: bytes, *, in_target: bool) -> None:
        """Raise `Refused` if the head gets too long with this piece.

        `in_target` says that no header has come before it.
        """
        self._counting = not self.in_head
        if self.in_head:
            self._head_bytes += len(piece)
            if self._head_bytes > self.limits.head_bytes:
                if in_target and piece.find(b"\r\n", 0, self.limits.target_bytes) < 0:
                    raise Refused(414, "The request target is too long.")
                raise Refused(431, "The header fields are too long.")
        else:
            self._chunks = 0
            self._content = 0

    def after(self, piece: bytes) -> None:
        """Raise `Refused` if a chunked body has too much beside its content."""
        if self.left != UNFRAMED or not self._counting:
            return
        self._overhead += len(piece) - self._content
        extensions = self._overhead - _CHUNK_BYTES * (self._chunks + 1)
        if extensions > self.limits.chunk_extension_bytes:
            raise Refused(400, "The chunk extensions are too long.")
        if self._chunks:
            self._overhead = 0

    def chunk(self) -> None:
        """Take note of the start of a chunk."""
        self._chunks += 1

    def body(self, size: int) -> None:
        """Take note of content."""
        self._content += size
        self.unwanted += size
        if self.left != UNFRAMED:
            self.left -= size

    def trailer(self, size: int) -> None:
        """Take note of a trailer field; raises `Refused` if there are too many."""
        size += len(b": \r\n")
        self._content += size
        self._trailers += size
        if self._trailers > self.limits.trailer_bytes:
            raise Refused(431, "The trailer fields are too long.")
