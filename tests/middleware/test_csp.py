import re

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from ocgate.core.csp import DEFAULT_POLICY
from ocgate.core.errors import ConfigError
from ocgate_middleware.csp import CSP_NONCE, CSPMiddleware, Existing

CSP = "content-security-policy"
REPORT_ONLY = "content-security-policy-report-only"
POLICY = "default-src 'self'"


def answering(*headers: tuple[bytes, bytes], status: int = 200) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return app


async def headers_of(app: ASGIApp) -> httpx.Headers:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gate") as client:
        return (await client.get("/")).headers


@pytest.mark.parametrize("policy", [POLICY, {"default-src": ["'self'"]}, {"default-src": "'self'"}])
async def test_every_form_of_a_policy_is_sent(policy: str | dict[str, str | list[str]]) -> None:
    app = CSPMiddleware(answering(), policy=policy)
    assert (await headers_of(app)).get_list(CSP) == [POLICY]


@pytest.mark.parametrize("status", [200, 204, 304, 401, 404, 500])
async def test_every_answer_has_the_policy(status: int) -> None:
    app = CSPMiddleware(answering(status=status), policy=DEFAULT_POLICY)
    assert (await headers_of(app)).get_list(CSP) == [DEFAULT_POLICY.header]


@pytest.mark.parametrize(
    ("existing", "expected"),
    [
        ("combine", f"{POLICY}, default-src 'none', sandbox"),
        ("replace", POLICY),
        ("keep", "default-src 'none', sandbox"),
    ],
)
async def test_the_application_s_own_policy(existing: Existing, expected: str) -> None:
    own = answering((b"Content-Security-Policy", b"default-src 'none'"), (CSP.encode(), b"sandbox"))
    app = CSPMiddleware(own, policy=POLICY, existing=existing)
    assert (await headers_of(app)).get_list(CSP) == [expected]
    alone = CSPMiddleware(answering((CSP.encode(), b" ")), policy=POLICY, existing=existing)
    assert (await headers_of(alone)).get_list(CSP) == [POLICY]


async def test_the_same_policy_twice_is_sent_once() -> None:
    app = CSPMiddleware(CSPMiddleware(answering(), policy=POLICY), policy=POLICY)
    assert (await headers_of(app)).get_list(CSP) == [POLICY]


async def test_a_report_only_policy_stands_beside_or_alone() -> None:
    both = CSPMiddleware(answering(), policy=POLICY, report_only="img-src x; report-uri /r")
    headers = await headers_of(both)
    assert headers.get_list(CSP) == [POLICY]
    assert headers.get_list(REPORT_ONLY) == ["img-src x; report-uri /r"]
    headers = await headers_of(CSPMiddleware(answering(), report_only=POLICY))
    assert CSP not in headers
    assert headers.get_list(REPORT_ONLY) == [POLICY]


async def test_the_application_s_report_only_policy_is_left_alone() -> None:
    own = answering((REPORT_ONLY.encode(), b"img-src x"))
    headers = await headers_of(CSPMiddleware(own, policy=POLICY))
    assert headers.get_list(CSP) == [POLICY]
    assert headers.get_list(REPORT_ONLY) == ["img-src x"]


async def test_each_response_has_its_own_nonce() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope[CSP_NONCE])
        await answering()(scope, receive, send)

    wrapped = CSPMiddleware(app, policy="script-src $NONCE", report_only="style-src $NONCE")
    first, second = await headers_of(wrapped), await headers_of(wrapped)
    assert first[CSP] == f"script-src 'nonce-{seen[0]}'"
    assert first[REPORT_ONLY] == f"style-src 'nonce-{seen[0]}'"
    assert second[CSP] == f"script-src 'nonce-{seen[1]}'"
    assert seen[0] != seen[1]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", nonce) for nonce in seen)


async def test_without_a_nonce_in_the_policy_there_is_none_in_the_scope() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert CSP_NONCE not in scope
        await answering()(scope, receive, send)

    await headers_of(CSPMiddleware(app, policy=POLICY))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"policy": ""},
        {"policy": "img-src a\r\nb"},
        {"policy": {"img-src": ["a;b"]}},
        {"policy": POLICY, "report_only": {}},
        {"policy": POLICY, "existing": "drop"},
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        CSPMiddleware(answering(), **options)  # type: ignore[arg-type]


async def test_other_scopes_pass_through() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope = {"type": "websocket"}
    await CSPMiddleware(app, policy="script-src $NONCE")(scope, None, None)  # type: ignore[arg-type]
    assert seen[0] is scope
