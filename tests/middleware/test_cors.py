from collections.abc import Mapping

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocgate.core.cors import CORSRule
from ocgate.core.errors import ConfigError
from ocgate.core.targets import TARGET, parse_target
from ocgate_middleware.cors import CORSMiddleware

PAGE = "https://app.example"
ALLOW_ORIGIN = "access-control-allow-origin"
CREDENTIALS = "access-control-allow-credentials"
PREFLIGHT_VARY = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"


def answering(*headers: tuple[bytes, bytes], status: int = 200) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"from the application"})

    return app


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("a preflight reached the application")


async def ask(
    app: ASGIApp,
    method: str = "GET",
    path: str = "/",
    headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        return await client.request(method, path, headers=headers)


async def preflight(
    app: ASGIApp, origin: str = PAGE, method: str = "GET", headers: str = "", path: str = "/"
) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return await ask(app, "OPTIONS", path, asked)


# --- the table of recorded cases; where the answer differs, the gate's is the better one


async def test_an_allowed_preflight_as_recorded() -> None:
    app = CORSMiddleware(never, allow_origins=[PAGE], allow_credentials=True, max_age=None)
    response = await preflight(app, headers="authorization")
    assert response.status_code == 204
    assert response.content == b""
    assert response.headers == {
        ALLOW_ORIGIN: PAGE,
        CREDENTIALS: "true",
        "access-control-allow-methods": "GET",
        "access-control-allow-headers": "authorization",
        "vary": PREFLIGHT_VARY,
    }


async def test_every_origin_may_read_without_credentials() -> None:
    app = CORSMiddleware(never, allow_origins=["*"])
    response = await preflight(app)
    assert response.headers[ALLOW_ORIGIN] == "*"
    assert CREDENTIALS not in response.headers
    assert response.headers["access-control-max-age"] == "600"


@pytest.mark.parametrize(
    ("origin", "method", "headers"),
    [
        ("https://evil.example", "GET", ""),
        (f"{PAGE}.evil.org", "GET", ""),
        ("null", "GET", ""),
        (PAGE, "FROB", ""),
        (PAGE, "GET", "x-odd"),
        (PAGE, "\xff", ""),
    ],
)
async def test_a_refused_preflight_gets_nothing_but_vary(
    origin: str, method: str, headers: str
) -> None:
    app = CORSMiddleware(never, allow_origins=[PAGE])
    response = await preflight(app, origin, method.encode("latin-1"), headers)  # type: ignore[arg-type]
    assert response.status_code == 204
    assert response.headers == {"vary": PREFLIGHT_VARY}
    assert ALLOW_ORIGIN in (await preflight(app)).headers


@pytest.mark.parametrize(
    ("origin", "is_allowed"),
    [
        ("https://allowed.example", True),
        ("https://sub.wild.example", True),
        ("HTTPS://ALLOWED.EXAMPLE", True),
        ("https://allowed.example.evil.org", False),
        ("null", False),
        ("https://localhost:9200", False),
    ],
)
async def test_a_configured_list_as_recorded(origin: str, is_allowed: bool) -> None:
    app = CORSMiddleware(
        answering(), allow_origins=["https://allowed.example", "https://*.wild.example"]
    )
    expected = origin if is_allowed else None
    assert (await preflight(app, origin)).headers.get(ALLOW_ORIGIN) == expected
    response = await ask(app, headers={"Origin": origin})
    assert response.headers.get(ALLOW_ORIGIN) == expected
    assert response.headers["vary"] == "Origin"


async def test_an_actual_request_as_recorded() -> None:
    app = CORSMiddleware(answering(), allow_origins=[PAGE], expose_headers=["Location"])
    response = await ask(app, headers={"Origin": PAGE})
    assert response.headers == {
        ALLOW_ORIGIN: PAGE,
        "access-control-expose-headers": "Location",
        "vary": "Origin",
    }
    assert response.content == b"from the application"


@pytest.mark.parametrize("missing", ["Origin", "Access-Control-Request-Method"])
async def test_options_that_is_no_preflight_goes_to_the_application(missing: str) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    del asked[missing]
    app = CORSMiddleware(answering((b"dav", b"1, 2")), allow_origins=[PAGE])
    response = await ask(app, "OPTIONS", headers=asked)
    assert response.headers["dav"] == "1, 2"
    assert (ALLOW_ORIGIN in response.headers) == ("Origin" in asked)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 502])
async def test_a_page_can_read_error_answers(status: int) -> None:
    app = CORSMiddleware(answering(status=status), allow_origins=[PAGE])
    response = await ask(app, headers={"Origin": PAGE})
    assert response.status_code == status
    assert response.headers[ALLOW_ORIGIN] == PAGE


# --- beyond the table


BACKEND = (
    (b"Access-Control-Allow-Origin", b"*"),
    (b"access-control-allow-origin", b"https://other.example"),
    (b"Access-Control-Allow-Credentials", b"true"),
    (b"Access-Control-Max-Age", b"9"),
    (b"Access-Control-Expose-Headers", b"Tus-Resumable, Upload-Offset"),
    (b"Access-Control-Expose-Headers", b"location"),
    (b"Vary", b"Accept-Encoding, origin"),
    (b"vary", b"Cookie"),
)


async def test_the_application_s_headers_never_arrive_beside_ours() -> None:
    app = CORSMiddleware(answering(*BACKEND), allow_origins=[PAGE], expose_headers=["Location"])
    response = await ask(app, headers={"Origin": PAGE})
    assert sorted(response.headers.multi_items()) == [
        (ALLOW_ORIGIN, PAGE),
        ("access-control-expose-headers", "Location, Tus-Resumable, Upload-Offset"),
        ("vary", "Accept-Encoding, origin, Cookie"),
    ]


async def test_the_application_allows_nobody_past_us() -> None:
    for origin in ("https://other.example", None):
        app = CORSMiddleware(answering(*BACKEND), allow_origins=[PAGE])
        response = await ask(app, headers={"Origin": origin} if origin else {})
        assert response.headers == {"vary": "Accept-Encoding, origin, Cookie"}


async def test_without_origins_nobody_is_allowed_and_nothing_varies() -> None:
    response = await ask(CORSMiddleware(answering(BACKEND[0])), headers={"Origin": PAGE})
    assert response.headers == {}
    assert (await preflight(CORSMiddleware(never))).headers == {"vary": PREFLIGHT_VARY}


async def test_a_star_of_the_application() -> None:
    own = answering((b"vary", b"*"), (b"access-control-expose-headers", b"*"))
    response = await ask(CORSMiddleware(own, allow_origins=[PAGE]), headers={"Origin": PAGE})
    assert response.headers["vary"] == "*"
    assert response.headers["access-control-expose-headers"] == "*"
    app = CORSMiddleware(own, allow_origins=[PAGE], allow_credentials=True)
    response = await ask(app, headers={"Origin": PAGE})
    assert "access-control-expose-headers" not in response.headers


async def test_more_than_one_origin_is_nobody_s() -> None:
    app = CORSMiddleware(answering(), allow_origins=[PAGE])
    twice = [("Origin", PAGE), ("Origin", PAGE)]
    assert ALLOW_ORIGIN not in (await ask(app, headers=twice)).headers
    asked = [*twice, ("Access-Control-Request-Method", "GET")]
    response = await ask(app, "OPTIONS", headers=asked)
    assert response.status_code == 204
    assert ALLOW_ORIGIN not in response.headers


async def test_request_headers_on_several_lines_are_all_looked_at() -> None:
    app = CORSMiddleware(never, allow_origins=[PAGE])
    asked = [
        ("Origin", PAGE),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "content-type"),
    ]
    fine = [*asked, ("Access-Control-Request-Headers", "if-match")]
    response = await ask(app, "OPTIONS", headers=fine)
    assert response.headers["access-control-allow-headers"] == "content-type, if-match"
    odd = [*asked, ("Access-Control-Request-Headers", "x-odd")]
    assert ALLOW_ORIGIN not in (await ask(app, "OPTIONS", headers=odd)).headers


ROUTES = {
    "/ocs": CORSRule.of(allow_origins=["*"], allow_methods=["GET"]),
    "/ocs/private/": CORSRule.of(),
}


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", PAGE),
        ("/ocs", "*"),
        ("/ocs/", "*"),
        ("/ocs/v1.php", "*"),
        ("/ocsx", PAGE),
        ("/ocs/private", None),
        ("/ocs/private/x", None),
        ("/ocs/privateer", "*"),
    ],
)
async def test_a_route_has_its_own_rule(path: str, allowed: str | None) -> None:
    app = CORSMiddleware(answering(), allow_origins=[PAGE], routes=ROUTES)
    response = await ask(app, path=path, headers={"Origin": PAGE})
    assert response.headers.get(ALLOW_ORIGIN) == allowed
    assert (await preflight(app, path=path)).headers.get(ALLOW_ORIGIN) == allowed


async def test_without_a_rule_a_request_passes_untouched() -> None:
    own = (b"access-control-allow-origin", b"https://other.example")
    app = CORSMiddleware(answering(own), allow_origins=None, routes=ROUTES)
    response = await ask(app, headers={"Origin": PAGE})
    assert response.headers == {ALLOW_ORIGIN: "https://other.example"}
    assert (await preflight(app)).content == b"from the application"
    assert (await preflight(app, path="/ocs")).headers[ALLOW_ORIGIN] == "*"
    assert (await preflight(app, path="/ocs/private")).headers == {"vary": PREFLIGHT_VARY}


async def test_the_folded_path_decides_when_there_is_one() -> None:
    app = CORSMiddleware(answering(), allow_origins=[PAGE], routes=ROUTES)

    async def with_target(scope: Scope, receive: Receive, send: Send) -> None:
        target = parse_target(scope["raw_path"], scope["query_string"])
        await app({**scope, TARGET: target}, receive, send)

    for path in ("/%6fcs/x", "/./ocs/x"):
        response = await ask(with_target, path=path, headers={"Origin": PAGE})
        assert response.headers[ALLOW_ORIGIN] == "*"


async def test_the_reason_of_a_refusal_is_in_the_access_log() -> None:
    line: dict[str, object] = {}
    app = CORSMiddleware(never, allow_origins=[PAGE])

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "ocgate.log": line}, receive, send)

    await preflight(logged)
    assert line == {}
    await preflight(logged, "https://evil.example")
    assert line == {"cors": "origin_not_allowed"}


def test_options_that_cannot_be_meant_are_refused() -> None:
    CORSMiddleware(never, allow_origins=["*"], routes={"/a": CORSRule.of()})
    with pytest.raises(ConfigError, match="credentials"):
        CORSMiddleware(never, allow_origins=["*"], allow_credentials=True)
    for prefix in ("a", "", "/a b", "/ä", "/a%20b"):
        with pytest.raises(ConfigError, match="routes"):
            CORSMiddleware(never, routes={prefix: CORSRule.of()})


async def test_other_scopes_pass_through() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "websocket"}
    await CORSMiddleware(app)(scope, None, None)  # type: ignore[arg-type]
    assert seen[0] is scope


NAME = st.sampled_from(
    [b"origin", b"access-control-request-method", b"access-control-request-headers", b"x"]
)
OWN_NAME = st.sampled_from(
    [b"Access-Control-Allow-Origin", b"access-control-expose-headers", b"vary", b"Vary", b"x"]
)


@given(
    st.sampled_from(["GET", "OPTIONS"]),
    st.lists(st.tuples(NAME, st.binary(max_size=20) | st.just(PAGE.encode())), max_size=6),
    st.lists(st.tuples(OWN_NAME, st.binary(max_size=20)), max_size=4),
    st.booleans(),
)
async def test_any_request_gets_one_clean_answer(
    method: str,
    asked: list[tuple[bytes, bytes]],
    own: list[tuple[bytes, bytes]],
    is_open: bool,
) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    app = CORSMiddleware(
        answering(*own),
        allow_origins=["*"] if is_open else [PAGE],
        allow_methods=["*"],
        allow_headers=["*"],
    )
    scope = {"type": "http", "method": method, "path": "/", "headers": asked}
    await app(scope, None, send)  # type: ignore[arg-type]
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    names = [name for name, _ in sent[0]["headers"] if name != b"x"]
    assert len(names) == len(set(names))
    given_back = dict(sent[0]["headers"])
    assert given_back.get(b"access-control-allow-origin") in (None, b"*", PAGE.encode())
    if method == "OPTIONS" and b"access-control-allow-methods" in given_back:
        assert not set(b"".join(value for _, value in sent[0]["headers"])) & set(b"\r\n\0")
