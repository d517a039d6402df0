from collections.abc import Mapping
from itertools import product
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocgate.core.dav_error import DAV_METHODS
from ocgate.core.errors import ConfigError
from ocgate.core.identity import CHALLENGES, PRINCIPAL, Account, Outcome, Principal, Rejection
from ocgate.core.targets import TARGET, parse_target
from ocgate_middleware.identify import LOG_FIELDS, identified
from ocgate_middleware.require_principal import PUBLIC, RequirePrincipalMiddleware
from tests.support.asgi import Answered, Upstream, call, http

ALAN = Principal(Account("4c510ada", "alan"), "test")
CHALLENGE = b'Basic realm="ocgate", charset="UTF-8"'


class AuthMiddleware:
    """An authenticator with one answer."""

    def __init__(self, app: ASGIApp, name: str, challenge: bytes | None, outcome: Outcome) -> None:
        self.app = app
        self.name = name
        self.challenge = challenge
        self.outcome = outcome

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(await identified(scope, self), receive, send)

    async def authenticate(self, scope: Mapping[str, Any], /) -> Outcome:
        return self.outcome


async def refused(scope: Scope, **options: Any) -> Answered:
    upstream = Upstream()
    answered = await call(RequirePrincipalMiddleware(upstream, **options), scope)
    assert upstream.scopes == [], "the upstream was reached"
    assert answered.status == 401
    return answered


async def passed(scope: Scope, **options: Any) -> None:
    upstream = Upstream()
    answered = await call(RequirePrincipalMiddleware(upstream, **options), scope)
    assert answered.status == 200
    assert len(upstream.scopes) == 1


OUTCOMES: list[Outcome] = [None, Rejection("expired", "alan"), ALAN]
KINDS = {"presigned_url": None, "app_token": CHALLENGE, "basic": CHALLENGE, "bearer": b"Bearer"}


@pytest.mark.parametrize("outcomes", list(product(["absent", *OUTCOMES], repeat=len(KINDS))))
async def test_no_set_of_authenticators_opens_the_upstream_without_a_principal(
    outcomes: tuple[Outcome | str, ...],
) -> None:
    upstream = Upstream()
    app: ASGIApp = RequirePrincipalMiddleware(upstream)
    first: Outcome = None
    for (name, challenge), outcome in zip(KINDS.items(), outcomes, strict=True):
        if not isinstance(outcome, str):
            app = AuthMiddleware(app, name, challenge, outcome)
            first = outcome or first  # the last one added stands outermost and is asked first
    answered = await call(app, http())
    assert bool(upstream.scopes) == isinstance(first, Principal)
    assert answered.status == (200 if upstream.scopes else 401)
    for seen in upstream.scopes:
        assert seen[PRINCIPAL] is ALAN


async def test_every_challenge_is_sent_once_and_no_reason() -> None:
    challenges = (b"Bearer", CHALLENGE, b"Bearer", CHALLENGE)
    answered = await refused(http(more={CHALLENGES: challenges}))
    assert answered.every(b"www-authenticate") == [b"Bearer", CHALLENGE]
    assert answered.body == b""
    assert answered.header(b"content-length") == b"0"
    assert answered.header(b"content-type") is None
    assert answered.header(b"cache-control") == b"no-store"


@pytest.mark.parametrize("value", [b"XMLHttpRequest", b"xmlhttprequest"])
@pytest.mark.parametrize("method", ["GET", "PROPFIND"])
async def test_scripts_get_no_challenge(value: bytes, method: str) -> None:
    script = http(method, headers=[(b"x-requested-with", value)], more={CHALLENGES: (CHALLENGE,)})
    assert (await refused(script)).every(b"www-authenticate") == []
    other = http(method, headers=[(b"x-requested-with", b"app")], more={CHALLENGES: (CHALLENGE,)})
    assert (await refused(other)).every(b"www-authenticate") == [CHALLENGE]


@pytest.mark.parametrize("method", sorted(DAV_METHODS))
async def test_dav_methods_get_the_error_in_xml(method: str) -> None:
    answered = await refused(http(method))
    assert answered.header(b"content-type") == b"application/xml; charset=utf-8"
    assert answered.header(b"content-length") == b"%d" % len(answered.body)
    root = ET.fromstring(answered.body)
    assert root.tag == "{DAV:}error"
    assert root.findtext("{http://sabredav.org/ns}message") == "Authentication error"
    assert root.findtext("{http://sabredav.org/ns}exception") is not None


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "OPTIONS", "PATCH", "FOO"])
async def test_other_methods_get_an_empty_body(method: str) -> None:
    preflight = [(b"origin", b"https://a.example"), (b"access-control-request-method", b"PUT")]
    for headers in ([], preflight):
        assert (await refused(http(method, headers=headers))).body == b""


async def test_the_host_is_never_in_the_answer() -> None:
    scope = http(more={CHALLENGES: (CHALLENGE,)})
    scope["headers"] = [(b"host", b"evil.example")]
    assert b"evil" not in repr((await refused(scope)).messages).encode()


async def test_a_public_route_passes_only_with_true() -> None:
    await passed(http(more={PUBLIC: True}))
    for value in (False, None, "yes", 1):
        await refused(http(more={PUBLIC: value}))


OPEN = ["/public", "/a/b/"]


@pytest.mark.parametrize("target", ["/public", "/public/", "/public/x?y", "/a/b", "/a/b/c"])
async def test_public_paths_pass(target: str) -> None:
    await passed(http(target=target), public=OPEN)
    await refused(http(target=target))


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/publicity",
        "/Public",
        "/a",
        "/a/bc",
        "/private?/public",
        "/public/../private",
        "/public/%2e%2e/private",
        "/public/..;/private",
        "/public%2f..%2fprivate",
        "/public%2fx",
        "/public\\..\\private",
        "/public/%252e%252e/private",
        "/x;/public",
        "//public/x",
        "/public;a/../b",
        "/%zz/public",
    ],
)
async def test_paths_beside_the_public_ones_do_not(target: str) -> None:
    await refused(http(target=target), public=OPEN)


async def test_the_guarded_target_decides_where_there_is_one() -> None:
    private = parse_target(b"/private", b"")
    await refused(http(target="/public", more={TARGET: private}), public=OPEN)
    await passed(http(target="/x", more={TARGET: parse_target(b"/public//./x", b"")}), public=OPEN)


@pytest.mark.parametrize("path", ["", "public", "/a/../b", "/a//b", "/a%20b", "/ä", "/a;b", "/a?b"])
def test_a_public_path_that_is_not_plain_is_refused(path: str) -> None:
    with pytest.raises(ConfigError):
        RequirePrincipalMiddleware(Upstream(), public=[path])


async def test_a_missing_credential_is_told_apart_in_the_log() -> None:
    line: dict[str, Any] = {}
    await refused(http(more={LOG_FIELDS: line}))
    assert line == {"reason": "no_credential"}
    line = {}
    upstream = Upstream()
    app = AuthMiddleware(RequirePrincipalMiddleware(upstream), "says", None, Rejection("expired"))
    await call(app, http(more={LOG_FIELDS: line}))
    assert line["reason"] == "expired"


async def websocket(
    first: str = "websocket.connect", more: Mapping[str, Any] | None = None
) -> list[Message]:
    upstream = Upstream()
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": first}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {**http(more={CHALLENGES: (CHALLENGE,)}), "type": "websocket", **(more or {})}
    await RequirePrincipalMiddleware(upstream)(scope, receive, send)
    assert bool(upstream.scopes) == (PRINCIPAL in scope)
    return sent


async def test_a_websocket_without_a_principal_is_never_opened() -> None:
    assert await websocket() == [{"type": "websocket.close", "code": 1008}]
    assert await websocket("websocket.disconnect") == []
    assert await websocket(more={PRINCIPAL: ALAN}) == []


async def test_a_server_that_can_answers_the_websocket_with_401() -> None:
    start, body = await websocket(more={"extensions": {"websocket.http.response": {}}})
    assert start["type"] == "websocket.http.response.start"
    assert start["status"] == 401
    assert (b"www-authenticate", CHALLENGE) in start["headers"]
    assert body == {"type": "websocket.http.response.body"}


async def test_other_scopes_pass() -> None:
    upstream = Upstream()
    await call(RequirePrincipalMiddleware(upstream), {"type": "lifespan"})
    assert upstream.scopes == [{"type": "lifespan"}]
