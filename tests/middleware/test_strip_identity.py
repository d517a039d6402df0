import pytest

from ocgate.core.errors import ConfigError
from ocgate_middleware.strip_identity import StripIdentityMiddleware
from tests.support.asgi import Header, Upstream, call, http

HOST = (b"host", b"files.example.org")


@pytest.mark.parametrize(
    "name",
    [
        b"x-remote-user",
        b"x_remote_user",
        b"X-Remote.User",
        b"remote-user",
        b"remote_groups",
        b"x-access-token",
        b"x-auth-request-email",
        b"x-authentik-username",
        b"x-webauth-user",
        b"x-forwarded-user",
        b"ssl_client_s_dn",
        b"oidc_claim_sub",
    ],
)
async def test_a_client_cannot_say_who_it_is(name: bytes) -> None:
    upstream = Upstream()
    headers: list[Header] = [(name, b"root"), (b"range", b"bytes=0-1"), (name, b"admin")]
    for kind in ("http", "websocket"):
        await call(StripIdentityMiddleware(upstream), http(headers=headers, more={"type": kind}))
    assert [seen["headers"] for seen in upstream.scopes] == [[HOST, (b"range", b"bytes=0-1")]] * 2


async def test_everything_else_passes_untouched() -> None:
    upstream = Upstream()
    scope = http(headers=[(b"authorization", b"Basic x"), (b"cookie", b"a=b"), (b"dav", b"1")])
    await call(StripIdentityMiddleware(upstream), scope)
    assert upstream.scopes[0]["headers"] is scope["headers"]
    await call(StripIdentityMiddleware(upstream), {"type": "lifespan"})
    assert upstream.scopes[1] == {"type": "lifespan"}


async def test_the_names_are_configurable() -> None:
    upstream = Upstream()
    gate = StripIdentityMiddleware(upstream, names=["X-Who", "X-Me-*"])
    await call(gate, http(headers=[(b"x_who", b"a"), (b"x-me-id", b"b"), (b"x-remote-user", b"c")]))
    assert upstream.scopes[0]["headers"] == [HOST, (b"x-remote-user", b"c")]
    with pytest.raises(ConfigError):
        StripIdentityMiddleware(upstream, names=["*"])
