"""What the tests of the data plane share."""

import asyncio
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.upstream.balancer import Upstream
from ocgate.upstream.origin import Origin
from ocgate.upstream.relay import Relay
from ocgate.upstream.settings import Limits, Timeouts
from ocgate_middleware.errors import ErrorMiddleware

QUICK = Timeouts(connect=0.5, first_byte=0.5, idle=0.5, slot=0.3)

GET = b"GET /a HTTP/1.1\r\nhost: gate.example\r\n\r\n"


def request(
    *fields: bytes, method: bytes = b"GET", target: bytes = b"/a", body: bytes = b""
) -> bytes:
    """Return a request with further field lines."""
    lines = (method + b" " + target + b" HTTP/1.1", b"host: gate.example", *fields, b"", body)
    return b"\r\n".join(lines)


def put(body: bytes, *fields: bytes) -> bytes:
    return request(b"content-length: %d" % len(body), *fields, method=b"PUT", body=body)


def gate(
    *origins: str,
    timeouts: Timeouts | None = None,
    limits: Limits | None = None,
    tls: Any = None,
    scope: dict[str, Any] | None = None,
    **options: Any,
) -> ASGIApp:
    """Return a relay that answers its errors; `scope` is added to the scope of each request."""
    upstream = Upstream(map(Origin.parse, origins), timeouts=timeouts, limits=limits, tls=tls)
    relay = Relay(upstream, **options)

    async def app(seen: Scope, receive: Receive, send: Send) -> None:
        if seen["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            upstream.close()
            await asyncio.sleep(0.01)  # the loop still has to close the sockets
            await send({"type": "lifespan.shutdown.complete"})
            return
        await relay({**seen, **(scope or {})}, receive, send)

    return ErrorMiddleware(app)
