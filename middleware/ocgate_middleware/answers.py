"""One way to send a short answer instead of passing a request on.

What is left of the request's body is read and dropped as far as that is cheap, so that the
connection can be used again; beyond that the connection is closed. A body that the client
only sends after `100 Continue` is not asked for.
"""

import asyncio
from collections.abc import Iterable

from starlette.types import Receive, Scope, Send

Header = tuple[bytes, bytes]

DRAIN_BYTES = 64 * 1024
DRAIN_SECONDS = 2.0


async def answer(
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    status: int,
    headers: Iterable[Header] = (),
    body: bytes = b"",
) -> None:
    """Send a whole response. A HEAD request gets the head that a GET would get."""
    head = [*headers, (b"content-length", b"%d" % len(body))]
    if not await _drained(scope, receive):
        head.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


async def _drained(scope: Scope, receive: Receive) -> bool:
    """Say whether nothing of the body is left to come."""
    waits = False
    has_body = False
    for name, value in scope["headers"]:
        if name == b"content-length":
            has_body = has_body or value != b"0"
        elif name == b"transfer-encoding":
            has_body = True
        elif name == b"expect":
            waits = True
    if not has_body:
        return True
    if waits:
        return False
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while left >= 0:
                message = await receive()
                if message["type"] != "http.request":
                    return False
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return True
    except TimeoutError:
        pass
    return False
