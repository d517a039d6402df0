"""One HTTP request of a test, sent exactly as written and answered as it came.

`http.client` neither normalises the target nor follows redirects nor decodes bodies.
"""

import base64
import http.client
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response. `headers` looks names up in any case; repeated ones are in `pairs`."""

    status: int
    pairs: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of that name."""
        return next((value for key, value in self.pairs if key.lower() == name.lower()), None)

    def every(self, name: str) -> list[str]:
        """Return the values of all headers of that name, in order."""
        return [value for key, value in self.pairs if key.lower() == name.lower()]


def basic(user: str, password: str) -> str:
    """Return the value of an `Authorization` header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def ask(
    origin: str,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | Iterable[bytes] | None = None,
    auth: tuple[str, str] | None = None,
    seconds: float = 30,
) -> Answer:
    """Send one request on its own connection; an iterable body goes out chunked."""
    where = urlsplit(origin)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=seconds)
    sent = dict(headers or {})
    if auth is not None:
        sent["Authorization"] = basic(*auth)
    try:
        connection.request(method, target, body=body, headers=sent)
        response = connection.getresponse()
        return Answer(response.status, tuple(response.getheaders()), response.read())
    finally:
        connection.close()
