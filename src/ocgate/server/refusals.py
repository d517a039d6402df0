"""Refusals of the server itself, for requests that never become one for the application."""

from uvicorn.protocols.http.httptools_impl import STATUS_LINE


class Refused(Exception):
    """The request is answered with `status` and one sentence, and the connection is closed."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status

    def response(self) -> bytes:
        """Return the whole answer as it goes over the wire."""
        body = f"{self}\n".encode()
        return b"".join(
            (
                STATUS_LINE[self.status],
                b"content-type: text/plain; charset=utf-8\r\n",
                b"content-length: %d\r\n" % len(body),
                b"connection: close\r\n\r\n",
                body,
            )
        )
