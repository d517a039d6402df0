"""A client's own way of making presigned URLs, written from the observed wire format.

It shares no code with ocgate, so that both sides cannot be wrong in the same way.
"""

import hashlib
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

ROUNDS = 10_000


def presigned(
    url: str,
    *,
    user: str,
    key: str,
    method: str = "GET",
    expires: int | str = 1200,
    date: str | None = None,
) -> str:
    """Return `url` with the OC parameters and the signature.

    `url` is what the client sees (scheme, host, escaped path, perhaps a query) and is signed as
    it stands; `key` is the signing key as hex text; `date` is RFC 3339, the present by default.
    """
    if date is None:
        date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    parts = urlsplit(url)
    others = parse_qsl(parts.query, keep_blank_values=True)
    ours = [
        ("OC-Credential", user),
        ("OC-Date", date),
        ("OC-Expires", str(expires)),
        ("OC-Verb", method),
    ]
    query = urlencode(sorted(others, key=lambda pair: pair[0].encode()) + ours)
    text = f"{parts.scheme}://{parts.netloc}{parts.path}?{query}"
    return f"{text}&OC-Algo=PBKDF2%2F{ROUNDS}-SHA512&OC-Signature={signature(text, key)}"


def signature(text: str, key: str) -> str:
    """Return the signature of a URL text in lower-case hex."""
    return hashlib.pbkdf2_hmac("sha512", text.encode(), key.encode(), ROUNDS, 32).hex()


def escaped(path: str) -> str:
    """Return a path in the form in which most clients write it."""
    return quote(path, safe="/-_.~!*'(),;:@&=+$")


def target_of(url: str) -> str:
    """Return the request target of a URL, byte for byte."""
    rest = url.split("://", 1)[1]
    return "/" + rest.split("/", 1)[1]
