"""The middlewares that add response headers, stacked in every order."""

from collections.abc import Callable
from itertools import permutations

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate_middleware.cors import CORSMiddleware
from ocgate_middleware.csp import CSPMiddleware
from ocgate_middleware.security_headers import SecurityHeadersMiddleware

PAGE = "https://app.example"
LAYERS: dict[str, Callable[[ASGIApp], ASGIApp]] = {
    "csp": lambda app: CSPMiddleware(app, policy="default-src 'self'", report_only="img-src x"),
    "security": SecurityHeadersMiddleware,
    "cors": lambda app: CORSMiddleware(app, allow_origins=[PAGE], expose_headers=["ETag"]),
}
ADDED = {
    "csp": ["content-security-policy", "content-security-policy-report-only"],
    "security": [
        "referrer-policy",
        "strict-transport-security",
        "x-content-type-options",
        "x-frame-options",
        "x-permitted-cross-domain-policies",
        "x-robots-tag",
        "x-xss-protection",
    ],
    "cors": ["access-control-allow-origin", "access-control-expose-headers", "vary"],
}


async def backend(scope: Scope, receive: Receive, send: Send) -> None:
    """Send a header of its own for each that is added, and one that is not."""
    own = [(name.encode(), b"backend") for names in ADDED.values() for name in names]
    headers = [*own, *own, (b"etag", b'"1"')]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def headers_of(app: ASGIApp) -> httpx.Headers:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://gate") as client:
        return (await client.get("/", headers={"Origin": PAGE})).headers


@pytest.mark.parametrize("order", list(permutations(LAYERS)))
async def test_each_header_is_sent_once_in_any_order(order: tuple[str, ...]) -> None:
    app: ASGIApp = backend
    for name in order:
        app = LAYERS[name](app)
    headers = await headers_of(app)
    expected = sorted(["etag", *(name for names in ADDED.values() for name in names)])
    assert sorted(name for name, _ in headers.multi_items()) == expected
    assert headers["content-security-policy"] == "default-src 'self', backend"
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["vary"] == "backend, Origin"


@pytest.mark.parametrize("name", list(LAYERS))
async def test_each_works_alone(name: str) -> None:
    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b""})

    headers = await headers_of(LAYERS[name](bare))
    assert sorted(added for added in headers if added != "etag") == sorted(
        added for added in ADDED[name]
    )
