from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import ConfigError
from ocgate_middleware.forwarded import FORWARDED_ORIGIN, ForwardedMiddleware
from ocgate_middleware.identify import LOG_FIELDS
from tests.support.asgi import Header, Upstream, call, http

PROXY = ("10.0.0.1", 4000)
STRANGER = ("192.0.2.66", 4000)
FAMILY: list[Header] = [
    (b"x-forwarded-for", b"198.51.100.9"),
    (b"x-forwarded-proto", b"https"),
    (b"x-forwarded-host", b"files.example.net:8443"),
    (b"x-forwarded-prefix", b"/x"),
    (b"x_forwarded_user", b"root"),
    (b"x.forwarded.for", b"1.2.3.4"),
    (b"forwarded", b"for=198.51.100.9;proto=https;host=files.example.net"),
    (b"x-real-ip", b"198.51.100.9"),
    (b"true-client-ip", b"198.51.100.9"),
    (b"cf-connecting-ip", b"198.51.100.9"),
    (b"x-original-url", b"/private"),
    (b"x-rewrite-url", b"/private"),
]


async def seen(
    headers: list[Header], client: tuple[str, int] | None = PROXY, **options: Any
) -> dict[str, Any]:
    upstream = Upstream()
    options.setdefault("trusted", ["10.0.0.0/8"])
    more = options.pop("scope", {})
    await call(
        ForwardedMiddleware(upstream, **options), http(headers=headers, client=client, more=more)
    )
    return upstream.scopes[0]


@pytest.mark.parametrize("header", FAMILY)
async def test_no_member_of_the_family_gets_further_in(header: Header) -> None:
    for client in (PROXY, STRANGER, None):
        found = await seen([header, (b"accept", b"*/*")], client)
        assert found["headers"] == [(b"host", b"files.example.org"), (b"accept", b"*/*")]


@pytest.mark.parametrize("client", [STRANGER, None, ("junk", 1)])
async def test_strangers_are_not_believed(client: tuple[str, int] | None) -> None:
    found = await seen(FAMILY, client)
    assert found["client"] == client
    assert found["scheme"] == "http"
    assert FORWARDED_ORIGIN not in found


async def test_nobody_is_believed_by_default() -> None:
    upstream = Upstream()
    await call(ForwardedMiddleware(upstream), http(headers=FAMILY, client=("127.0.0.1", 1)))
    assert upstream.scopes[0]["client"] == ("127.0.0.1", 1)
    assert upstream.scopes[0]["headers"] == [(b"host", b"files.example.org")]


async def test_a_trusted_proxy_is_believed() -> None:
    line: dict[str, Any] = {}
    found = await seen(FAMILY, scope={LOG_FIELDS: line})
    assert found["client"] == ("198.51.100.9", 0)
    assert found["scheme"] == "https"
    assert found[FORWARDED_ORIGIN] == b"https://files.example.net:8443"
    assert line == {"remote-addr": "198.51.100.9"}


async def test_the_chain_is_read_from_the_right_over_several_lines() -> None:
    found = await seen(
        [
            (b"x-forwarded-for", b"6.6.6.6, 198.51.100.9"),
            (b"x-forwarded-for", b"10.0.0.3, 10.0.0.2"),
        ]
    )
    assert found["client"] == ("198.51.100.9", 0)
    assert FORWARDED_ORIGIN not in found, "neither scheme nor host was told"


async def test_a_chain_that_cannot_be_read_leaves_the_proxy() -> None:
    assert (await seen([(b"x-forwarded-for", b"198.51.100.9, unknown")]))["client"] == PROXY
    found = await seen([(b"x-forwarded-for", b"6.6.6.6, unknown, 10.0.0.2")])
    assert found["client"] == ("10.0.0.2", 0)


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("x-forwarded-for", ("198.51.100.1", 0)),
        ("x-real-ip", ("198.51.100.2", 0)),
        ("forwarded", ("198.51.100.3", 0)),
    ],
)
async def test_only_the_configured_header_counts(header: str, client: tuple[str, int]) -> None:
    headers = [
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"x-real-ip", b"198.51.100.2"),
        (b"forwarded", b"for=198.51.100.3"),
    ]
    assert (await seen(headers, header=header))["client"] == client
    for name, _ in headers:
        if name.decode() != header:
            assert (await seen([(name, b"198.51.100.9")], header=header))["client"] == PROXY


async def test_forwarded_tells_scheme_and_host_of_the_clients_hop() -> None:
    values = [
        b"for=6.6.6.6;host=evil.example",
        b"for=198.51.100.9;proto=https;host=a.example",
        b"for=10.0.0.2;proto=http",
    ]
    found = await seen([(b"forwarded", b", ".join(values))], header="forwarded")
    assert found["client"] == ("198.51.100.9", 0)
    assert found["scheme"] == "https"
    assert found[FORWARDED_ORIGIN] == b"https://a.example"


@pytest.mark.parametrize(
    ("chain", "protos", "scheme"),
    [
        (b"198.51.100.9, 10.0.0.2", b"https, http", "https"),
        (b"6.6.6.6, 198.51.100.9, 10.0.0.2", b"http, https, http", "https"),
        (b"198.51.100.9, 10.0.0.2", b"https", "https"),
        (b"198.51.100.9", b"https, http", "http"),
        (b"198.51.100.9", b"gopher", "http"),
    ],
)
async def test_the_scheme_is_that_of_the_clients_hop(
    chain: bytes, protos: bytes, scheme: str
) -> None:
    found = await seen([(b"x-forwarded-for", chain), (b"x-forwarded-proto", protos)])
    assert found["scheme"] == scheme


@pytest.mark.parametrize("host", [b"a b", b"a/b", b"a@b", b"", b"a\r\nx: y", b"\xff"])
async def test_a_host_that_is_none_is_not_believed(host: bytes) -> None:
    found = await seen([(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", host)])
    assert found[FORWARDED_ORIGIN] == b"https://files.example.org"


@pytest.mark.parametrize(("proto", "scheme"), [(b"https", "wss"), (b"http", "ws")])
async def test_a_websocket_has_its_own_names_of_the_schemes(proto: bytes, scheme: str) -> None:
    more = {"type": "websocket", "scheme": "ws"}
    found = await seen([(b"x-forwarded-proto", proto)], scope=more)
    assert found["scheme"] == scheme
    assert found[FORWARDED_ORIGIN] == proto + b"://files.example.org"
    found = await seen([(b"x-forwarded-host", b"a.example")], scope={**more, "scheme": "wss"})
    assert found[FORWARDED_ORIGIN] == b"https://a.example"


async def test_a_unix_socket_is_trusted_only_when_told() -> None:
    headers = [(b"x-forwarded-for", b"198.51.100.9")]
    for client in (None, ("", 0)):
        assert (await seen(headers, client))["client"] == client
        found = await seen(headers, client, trust_unix_socket=True)
        assert found["client"] == ("198.51.100.9", 0)
    assert (await seen(headers, STRANGER, trust_unix_socket=True))["client"] == STRANGER


@given(
    st.lists(
        st.tuples(st.sampled_from([name for name, _ in FAMILY]), st.binary(max_size=50)), max_size=6
    ),
    st.sampled_from(["x-forwarded-for", "forwarded", "x-real-ip"]),
)
async def test_any_headers_of_a_trusted_proxy_are_survived(
    headers: list[Header], header: str
) -> None:
    found = await seen(headers, header=header)
    assert found["headers"] == [(b"host", b"files.example.org")]
    assert found["scheme"] in ("http", "https")
    origin = found.get(FORWARDED_ORIGIN, b"http://x")
    assert not set(origin) & set(b" \r\n\0/@") - set(b"/")


async def test_the_scope_of_the_server_is_not_changed() -> None:
    scope = http(headers=FAMILY, client=PROXY)
    before = {**scope, "headers": list(scope["headers"])}
    await call(ForwardedMiddleware(Upstream(), trusted=["10.0.0.0/8"]), scope)
    assert scope == before


async def test_a_request_without_the_family_passes_untouched() -> None:
    scope = http(client=PROXY)
    upstream = Upstream()
    await call(ForwardedMiddleware(upstream, trusted=["10.0.0.0/8"]), scope)
    assert upstream.scopes[0]["headers"] is scope["headers"]
    await call(ForwardedMiddleware(upstream), {"type": "lifespan"})
    assert upstream.scopes[1] == {"type": "lifespan"}


def test_options_without_a_meaning_are_refused() -> None:
    with pytest.raises(ConfigError):
        ForwardedMiddleware(Upstream(), trusted=["localhost"])
    with pytest.raises(ConfigError):
        ForwardedMiddleware(Upstream(), header="cf-connecting-ip")  # type: ignore[arg-type]
