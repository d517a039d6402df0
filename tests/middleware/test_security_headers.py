import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.errors import ConfigError
from ocgate_middleware.security_headers import SecurityHeadersMiddleware

FAMILY = {
    "referrer-policy": "strict-origin-when-cross-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "x-permitted-cross-domain-policies": "none",
    "x-robots-tag": "none",
    "x-xss-protection": "1; mode=block",
}
HSTS = "strict-transport-security"


def answering(*headers: tuple[bytes, bytes]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return app


async def headers_of(app: ASGIApp, scheme: str = "http") -> httpx.Headers:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://gate") as client:
        return (await client.get("/")).headers


async def test_the_family_s_set_is_the_default() -> None:
    assert await headers_of(SecurityHeadersMiddleware(answering())) == FAMILY


async def test_hsts_is_sent_over_tls_only() -> None:
    app = SecurityHeadersMiddleware(answering())
    assert HSTS not in await headers_of(app)
    over_tls = await headers_of(app, "https")
    assert over_tls == {**FAMILY, HSTS: "max-age=315360000; preload"}
    app = SecurityHeadersMiddleware(answering(), strict_transport_security=None)
    assert await headers_of(app, "https") == FAMILY


async def test_every_header_can_be_changed_or_left_out() -> None:
    app = SecurityHeadersMiddleware(
        answering((b"X-Robots-Tag", b"all")),
        content_type_options=None,
        frame_options="DENY",
        referrer_policy="no-referrer, same-origin",
        permitted_cross_domain_policies=None,
        robots_tag=None,
        xss_protection="0",
        strict_transport_security="max-age=60; includeSubDomains",
        permissions_policy="camera=(), geolocation=(self)",
        opener_policy="same-origin",
        embedder_policy="require-corp",
        resource_policy="same-site",
    )
    assert await headers_of(app, "https") == {
        "x-robots-tag": "all",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer, same-origin",
        "x-xss-protection": "0",
        HSTS: "max-age=60; includeSubDomains",
        "permissions-policy": "camera=(), geolocation=(self)",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-resource-policy": "same-site",
    }


async def test_the_application_s_own_header_is_replaced_or_kept() -> None:
    own = answering((b"X-Frame-Options", b"DENY"), (b"x-frame-options", b"ALLOWALL"))
    replaced = await headers_of(SecurityHeadersMiddleware(own))
    assert replaced.get_list("x-frame-options") == ["SAMEORIGIN"]
    own = answering((b"X-Frame-Options", b"DENY"))
    kept = await headers_of(SecurityHeadersMiddleware(own, existing="keep"))
    assert kept == {**FAMILY, "x-frame-options": "DENY"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("content_type_options", "sniff"),
        ("content_type_options", ""),
        ("frame_options", "ALLOW-FROM x"),
        ("frame_options", "DENY\r\nX: y"),
        ("frame_options", "DENY\n"),
        ("referrer_policy", "never"),
        ("permitted_cross_domain_policies", "some"),
        ("robots_tag", "none\r\n"),
        ("robots_tag", "ä"),
        ("xss_protection", "2"),
        ("strict_transport_security", "preload"),
        ("strict_transport_security", "max-age=-1"),
        ("permissions_policy", "camera=()\r\nX: y"),
        ("opener_policy", "none"),
        ("embedder_policy", "none"),
        ("resource_policy", "none"),
        ("existing", "merge"),
    ],
)
def test_a_value_that_its_header_does_not_know_is_refused(option: str, value: str) -> None:
    with pytest.raises(ConfigError):
        SecurityHeadersMiddleware(answering(), **{option: value})  # type: ignore[arg-type]


async def test_other_scopes_pass_through() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "lifespan"}
    await SecurityHeadersMiddleware(app)(scope, None, None)  # type: ignore[arg-type]
    assert seen == [scope]
