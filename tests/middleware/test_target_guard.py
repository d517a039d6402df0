import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from ocgate.core.errors import BadRequest, ConfigError, OcgateError
from ocgate.core.targets import ForeignDestination, Target
from ocgate_middleware.target_guard import (
    KNOWN_METHODS,
    MethodNotAllowed,
    MethodNotImplemented,
    TargetGuardMiddleware,
)

Header = tuple[bytes, bytes]


class Recorder:
    """The app behind the guard: it remembers the scopes that it sees."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)


async def sent(app: Any, scope: Scope) -> list[Message]:
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return messages


def request(
    raw_path: bytes = b"/a",
    *headers: Header,
    method: str = "GET",
    query: bytes = b"",
    **more: object,
) -> Scope:
    return {
        "type": "http",
        "method": method,
        "raw_path": raw_path,
        "query_string": query,
        "headers": [(b"host", b"gate.example"), *headers],
        **more,
    }


async def refusal(scope: Scope, **options: Any) -> OcgateError:
    behind = Recorder()
    with pytest.raises(OcgateError) as raised:
        await sent(TargetGuardMiddleware(behind, **options), scope)
    assert behind.scopes == []
    return raised.value


async def passed(scope: Scope, **options: Any) -> Scope:
    behind = Recorder()
    await sent(TargetGuardMiddleware(behind, **options), scope)
    assert len(behind.scopes) == 1
    return behind.scopes[0]


async def test_the_parsed_target_is_in_the_scope() -> None:
    scope = request(b"//a%2D", query=b"x=1")
    assert (await passed(scope))["ocgate.target"] == Target(b"//a%2D", b"x=1", b"/a-")
    assert "ocgate.target" not in scope


@pytest.mark.parametrize("raw_path", [b"/a/../b", b"/%2e%2e", b"*", b"http://h/", b"/a%2fb"])
async def test_an_ambiguous_path_is_a_400(raw_path: bytes) -> None:
    assert (await refusal(request(raw_path))).status == 400
    assert (await refusal(request(raw_path, type="websocket"))).status == 400


async def test_an_encoded_slash_passes_by_option() -> None:
    assert await passed(request(b"/a%2fb"), allow_encoded_slash=True)
    both = request(b"/a%2fb", (b"destination", b"/c%2fd"), method="MOVE")
    assert (await passed(both, allow_encoded_slash=True))["ocgate.destination"].folded == b"/c%2Fd"


async def test_a_target_over_the_limit_is_a_414() -> None:
    assert (await refusal(request(b"/" + b"a" * 50, query=b"b" * 50), max_target=100)).status == 414
    assert await passed(request(b"/" + b"a" * 49, query=b"b" * 50), max_target=100)


@pytest.mark.parametrize("method", sorted(KNOWN_METHODS))
async def test_every_webdav_method_passes(method: str) -> None:
    assert await passed(request(method=method))


@pytest.mark.parametrize(
    ("method", "status"),
    [("TRACE", 405), ("TRACK", 405), ("CONNECT", 405), ("PURGE", 501), ("get", 501), ("", 501)],
)
async def test_other_methods_are_refused(method: str, status: int) -> None:
    assert (await refusal(request(method=method))).status == status


async def test_options_of_the_server_is_answered_without_asking_behind() -> None:
    behind = Recorder()
    start, _ = await sent(TargetGuardMiddleware(behind), request(b"*", method="OPTIONS"))
    assert start["status"] == 200
    assert b"PROPFIND" in dict(start["headers"])[b"allow"]
    assert behind.scopes == []


@pytest.mark.parametrize(
    "values",
    [
        [b"Basic YTpi", b"Bearer x"],
        [b"Basic YTpi", b"Basic YTpi"],
        [b"Basic YTpi, Bearer x"],
        [b"Basic YTpi,Bearer x"],
        [b"Bearer x, Basic YTpi="],
        [b"Basic YTpi=,YTpi="],
        [b'Digest username="a", realm="b", Basic YTpi='],
        [b'Digest username="a", Negotiate'],
        [b"Digest a=b,"],
        [b","],
        [b'Digest a="b, Basic YTpi='],
        [b'Digest a=b, c="d\\"'],
    ],
)
async def test_more_than_one_set_of_credentials_is_a_400(values: list[bytes]) -> None:
    headers = [(b"authorization", value) for value in values]
    assert (await refusal(request(b"/a", *headers))).status == 400


@pytest.mark.parametrize(
    "value",
    [
        b"Basic YTpi",
        b"Bearer a.b-c",
        b'Digest username="a, Basic b", realm="b",uri="/x" , nc=1',
        b'Signature keyId="x",algorithm="y"',
    ],
)
async def test_one_set_of_credentials_passes(value: bytes) -> None:
    assert await passed(request(b"/a", (b"authorization", value)))


def test_quotes_without_an_end_cost_no_more_than_others() -> None:
    """A head may have 64 KiB: searched for from each of its quotes, the end took 20 seconds."""
    program = (
        "from ocgate_middleware.target_guard import _refuse_two_credentials as refuse\n"
        "try: refuse([b'Digest ,' + b'\"' + b'\\\\\"' * 30_000])\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, check=True, capture_output=True, timeout=10)
    assert ran.stdout.strip() == b"BadRequest"


async def test_a_header_name_with_an_underscore_is_a_400_unless_allowed() -> None:
    scope = request(b"/a", (b"x_remote_user", b"admin"))
    assert (await refusal(scope)).status == 400
    assert await passed(scope, allow_underscores=True)
    assert await passed(request(b"/a_b", (b"x-a", b"b_c")))


@pytest.mark.parametrize(
    ("value", "options", "more"),
    [
        (b"/b", {}, {}),
        (b"http://gate.example/b", {}, {}),
        (b"https://files.example/b", {"origins": [b"https://Files.example"]}, {}),
        (b"https://outer.example/b", {}, {"ocgate.forwarded_origin": b"https://Outer.example"}),
    ],
)
async def test_a_destination_on_this_server_is_parsed(
    value: bytes, options: dict[str, Any], more: dict[str, Any]
) -> None:
    scope = request(b"/a", (b"destination", value), method="COPY", **more)
    assert (await passed(scope, **options))["ocgate.destination"] == Target(b"/b", b"", b"/b")


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ([b"/a", b"/a"], 400),
        ([b"/a/../b"], 400),
        ([b"b"], 400),
        ([b"http://other.example/b"], 502),
        ([b"https://outer.example/b"], 502),
    ],
)
async def test_another_destination_is_refused(values: list[bytes], status: int) -> None:
    headers = [(b"destination", value) for value in values]
    assert (await refusal(request(b"/a", *headers, method="MOVE"))).status == status


async def test_other_scopes_pass_untouched() -> None:
    scope = {"type": "lifespan"}
    assert await passed(scope) is scope


@pytest.mark.parametrize(
    "options", [{"max_target": 0}, {"origins": [b"files.example"]}, {"origins": [b"http://a/b"]}]
)
def test_wrong_options_are_a_configuration_error(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TargetGuardMiddleware(Recorder(), **options)


@given(
    path=st.binary(max_size=20),
    query=st.binary(max_size=10),
    names=st.lists(
        st.sampled_from([b"authorization", b"destination", b"host", b"x_y", b"accept"]), max_size=3
    ),
    value=st.binary(max_size=20),
    method=st.sampled_from(["GET", "MOVE", "OPTIONS", "TRACE", "X"]),
)
async def test_no_request_raises_anything_but_a_refusal(
    path: bytes, query: bytes, names: list[bytes], value: bytes, method: str
) -> None:
    scope = request(path, *[(name, value) for name in names], method=method, query=query)
    try:
        await sent(TargetGuardMiddleware(Recorder()), scope)
    except (BadRequest, MethodNotAllowed, MethodNotImplemented, ForeignDestination):
        return
