"""A client that signs its own URLs, in nothing but Python's standard library.

    make run                                                        # in another terminal
    python examples/presigned_upload.py http://127.0.0.1:9200/notes.txt alan <notes.txt

It asks for the user's signing key with a password (`PASSWORD`, or typed in), uploads standard
input to the URL and prints a link that downloads it for the next hour. The key stays good for
a day, so a program fetches it once and signs as often as it likes.
"""

import base64
import getpass
import hashlib
import json
import os
import sys
from datetime import UTC, datetime
from typing import BinaryIO
from urllib.parse import parse_qsl, quote_plus, urlsplit
from urllib.request import Request, urlopen


def presigned(
    url: str,
    *,
    user: str,
    key: str,
    method: str = "GET",
    expires: int = 1200,
    now: datetime | None = None,
) -> str:
    """Return `url` with its signature; the URL is escaped as the request will have it."""
    where = urlsplit(url)
    pairs = parse_qsl(where.query, keep_blank_values=True)
    pairs.sort(key=lambda pair: pair[0].encode())
    pairs += [
        ("OC-Credential", user),
        ("OC-Date", (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("OC-Expires", str(expires)),
        ("OC-Verb", method),
    ]
    query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    text = f"{where.scheme}://{where.netloc}{where.path or '/'}?{query}"
    signature = hashlib.pbkdf2_hmac("sha512", text.encode(), key.encode(), 10_000, 32).hex()
    return f"{text}&OC-Algo=PBKDF2%2F10000-SHA512&OC-Signature={signature}"


def signing_key(origin: str, user: str, password: str) -> str:
    """Fetch the key; the first request makes it, each one starts its life anew."""
    request = Request(f"{origin}/ocs/v2.php/cloud/user/signing-key?format=json")
    credential = base64.b64encode(f"{user}:{password}".encode()).decode()
    request.add_header("Authorization", f"Basic {credential}")
    with urlopen(request, timeout=30) as answer:
        key: str = json.load(answer)["ocs"]["data"]["signing-key"]
    return key


def upload(url: str, content: BinaryIO) -> int:
    """Send what `content` holds to a URL that is signed for PUT; returns the status."""
    headers = {"Content-Type": "application/octet-stream"}
    with urlopen(Request(url, data=content, method="PUT", headers=headers), timeout=600) as answer:
        status: int = answer.status
    return status


if __name__ == "__main__":
    url, user = sys.argv[1:]
    where = urlsplit(url)
    password = os.environ.get("PASSWORD") or getpass.getpass()
    key = signing_key(f"{where.scheme}://{where.netloc}", user, password)
    upload(presigned(url, user=user, key=key, method="PUT"), sys.stdin.buffer)
    print(presigned(url, user=user, key=key, expires=3600))
