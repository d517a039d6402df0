"""Reading HTTP/1.1 responses, without I/O: bytes go in, a head and body chunks come out.

Nothing is guessed. Whatever could be read in two ways (RFC 9112 §6.3: two lengths, a length
beside chunks, an unknown transfer coding) raises `BadGateway`, and a connection that has said
more than its answer is not reusable.
"""

from collections import deque
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from ocgate.core.errors import BadGateway

Header = tuple[bytes, bytes]

MAX_HEAD: Final = 64 * 1024
"""Bytes of names and values in a head with its trailers: what servers allow in requests too."""
LARGEST_READ: Final = 256 * 1024
"""What the event loop reads at a time, perhaps the head and much of the body."""
MAX_HEADERS: Final = 200
MAX_INTERIM: Final = 16
"""1xx answers before the real one. Usual are one 100 or one 103."""

HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110 §7.6.1, and the historical ones."""

_NOTED: Final = HOP_BY_HOP | {b"content-length", b"location", b"content-location"}


class ResponseReader:
    """The response to one request after the other, on one connection.

    `status` is 0 until the final head is complete; `headers` are then the end-to-end ones with
    lower-case names. `chunks` holds body bytes that nobody took yet, `queued` their number.
    """

    __slots__ = (
        "_bodiless",
        "_coding",
        "_head_size",
        "_interim",
        "_length",
        "_parser",
        "_remaining",
        "_unread",
        "chunks",
        "complete",
        "continued",
        "has_location",
        "headers",
        "options",
        "queued",
        "reusable",
        "status",
        "surplus",
        "touched",
        "upgrade",
    )

    def __init__(self) -> None:
        self._parser: HttpResponseParser | None = None
        self.complete = True
        self.reusable = True
        self.chunks: deque[bytes] = deque()
        self.expect(bodiless=True)
        self.complete = True

    def expect(self, *, bodiless: bool) -> None:
        """Prepare for the answer to a request; `bodiless` after HEAD."""
        self._parser = HttpResponseParser(self)
        self._bodiless = bodiless
        self._remaining = -1
        self._length = -1
        self._coding = b""
        self._head_size = self._unread = self._interim = 0
        self.status = self.queued = 0
        self.headers: list[Header] = []
        self.options: frozenset[bytes] | None = None
        self.upgrade = self.surplus = b""
        self.complete = self.continued = self.has_location = self.touched = False

    def feed(self, data: bytes) -> None:
        """Read what the backend sent. Raises BadGateway where it is not an HTTP response."""
        self.touched = True
        remaining = self._remaining
        if remaining > 0:
            # a body of known length needs no parser: the received bytes themselves go on
            size = len(data)
            if size > remaining:
                self.reusable = False
                data = data[:remaining]
                size = remaining
            self._remaining = remaining - size
            self.complete = size == remaining
            self.chunks.append(data)
            self.queued += size
            return
        parser = self._parser
        if self.complete or parser is None:
            self.reusable = False
            return
        try:
            parser.feed_data(data)
        except HttpParserUpgrade as switched:
            self.surplus = data[switched.args[0] :]
        except HttpParserError as error:
            if not self._is_over():
                raise BadGateway("the backend's answer is not HTTP", detail=str(error)) from error
            self.reusable = False
        if not self.status:
            # a field that never ends is not seen by `on_header`
            self._unread += len(data)
            if self._unread > MAX_HEAD + LARGEST_READ:
                raise BadGateway("the backend's response head is too long")

    def _is_over(self) -> bool:
        return self.complete

    def feed_eof(self) -> None:
        """Note that the backend closed. Raises BadGateway unless that ends the body."""
        self.reusable = False
        if self.complete:
            return
        if not self.status:
            raise BadGateway("the backend closed the connection before it answered")
        if self._length >= 0 or self._coding:
            raise BadGateway("the backend broke off its answer")
        self.complete = True

    # Callbacks of httptools

    def on_message_begin(self) -> None:
        """See a further response begin: nobody asked for one, unless after a 1xx."""
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one field of the head; trailers are dropped."""
        self._head_size += len(name) + len(value)
        if self._head_size > MAX_HEAD:
            raise BadGateway("the head is too long")
        if self.status:
            return
        name = name.lower()
        if name in _NOTED:
            self._note(name, value.strip())
            if name in HOP_BY_HOP:
                return
        self.headers.append((name, value))
        if len(self.headers) > MAX_HEADERS:
            raise BadGateway("too many header fields")

    def _note(self, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            self._length = int(value)
        elif name == b"connection":
            tokens = frozenset(token.strip() for token in value.lower().split(b","))
            self.options = tokens | (self.options or frozenset())
        elif name == b"transfer-encoding":
            # a second field makes it something else than b"chunked", which is refused
            self._coding += value.lower() or b"?"
        elif name == b"upgrade":
            self.upgrade = value.lower()
        elif name.endswith(b"location"):
            self.has_location = True

    def on_headers_complete(self) -> None:
        """Decide how the body is framed (RFC 9112 §6.3)."""
        parser = self._parser
        if parser is None or self.status:
            return  # a second answer, which `on_message_begin` has noted
        status = parser.get_status_code()
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise BadGateway("unknown HTTP version")
        if status < 200 and status != 101:  # noqa: PLR2004
            self._skip_interim(status)
            return
        if self._coding and (self._coding != b"chunked" or version == "1.0"):
            raise BadGateway("unknown transfer coding")
        options = self.options
        if options is None:
            self.reusable = version == "1.1"
        else:
            self.reusable = b"close" not in options and (
                version == "1.1" or b"keep-alive" in options
            )
            self._remove_named(options)
        self.status = status
        if self._bodiless or status in (204, 304):
            self._remaining = 0
            self.complete = True
            if status in (204, 304):
                # with it a server in front would wait for that many bytes
                self.headers = [h for h in self.headers if h[0] != b"content-length"]
        elif self._length >= 0:
            self._remaining = self._length
            self.complete = self._length == 0
        elif not self._coding:
            self.reusable = False

    def _skip_interim(self, status: int) -> None:
        self._interim += 1
        if self._interim > MAX_INTERIM or self._coding or self._length > 0:
            raise BadGateway("an interim answer that is none")
        self.headers = []
        self.options = None
        self._length = -1
        self.has_location = False
        if status == 100:  # noqa: PLR2004
            self.continued = True

    def _remove_named(self, options: frozenset[bytes]) -> None:
        """Remove the fields that `Connection` declared to be for this hop (RFC 9110 §7.6.1)."""
        named = options - HOP_BY_HOP - {b"close", b"content-length"}
        if named:
            self.headers = [h for h in self.headers if h[0] not in named]

    def on_body(self, data: bytes) -> None:
        """Queue body bytes."""
        if self.complete:
            self.reusable = False
            return
        size = len(data)
        if self._remaining > 0:
            self._remaining -= size
        self.chunks.append(data)
        self.queued += size

    def on_message_complete(self) -> None:
        """End the response, unless it was an interim one."""
        if self.status:
            self.complete = True
