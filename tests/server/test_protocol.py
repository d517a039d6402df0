"""The door on the wire: what is sent, what comes back, and what the app behind has seen."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from ocgate.core.identity import PRINCIPAL
from ocgate.server.limits import Limits
from tests.middleware.test_presigned_url import World
from tests.support.door import (
    Door,
    RecordingApp,
    door,
    eventually,
    lifespan,
    read_all,
    read_response,
    respond,
    status_of,
)

BLANK = b"\r\n\r\n\r\n\r\n"
LAST = b"\r\n0\r\n\r\n"
CLOSE = b"Connection: close\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def app() -> RecordingApp:
    return RecordingApp()


@pytest.fixture(scope="module")
def server(app: RecordingApp) -> Iterator[Door]:
    with door(app) as running:
        yield running


@pytest.fixture(autouse=True)
def forgotten(app: RecordingApp) -> None:
    app.seen.clear()


def get(target: bytes = b"/", *lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return b"".join((b"GET ", target, b" ", version, b"\r\nHost: h\r\n", *lines, CLOSE, b"\r\n"))


REFUSED = [
    # request line
    ("no request line", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
    ("unknown method", b"FOO / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("method in lower case", b"get / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("space in the target", get(b"/a b"), 400),
    ("raw UTF-8 in the target", get("/ä".encode()), 400),
    ("raw byte in the query", get(b"/?\xff"), 400),
    ("fragment", get(b"/a#b"), 400),
    ("fragment behind a query", get(b"/a?b#c"), 400),
    ("NUL in the target", get(b"/a\x00b"), 400),
    ("relative target", get(b"a"), 400),
    ("asterisk with GET", get(b"*"), 400),
    ("CONNECT", b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 405),
    ("another host in the target", get(b"http://other/a"), 400),
    ("another port in the target", get(b"http://h:81/a"), 400),
    ("user in the target", get(b"http://u@h/a"), 400),
    ("another scheme in the target", get(b"ftp://h/a"), 400),
    ("HTTP/0.9", b"GET /\r\n\r\n", 400),
    ("HTTP/0.9 spelled out", get(version=b"HTTP/0.9"), 400),
    ("HTTP/1.2", get(version=b"HTTP/1.2"), 400),
    ("HTTP/2.0", get(version=b"HTTP/2.0"), 400),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("long target", get(b"/" + b"a" * 8200), 414),
    ("very long target", get(b"/" + b"a" * 100_000), 414),
    # headers
    ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("no Host in HTTP/1.0", b"GET / HTTP/1.0\r\n\r\n", 400),
    ("empty Host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("two Hosts", get(b"/", b"Host: h\r\n"), 400),
    ("Host with a path", b"GET / HTTP/1.1\r\nHost: h/a\r\n\r\n", 400),
    ("Host with a user", b"GET / HTTP/1.1\r\nHost: a@h\r\n\r\n", 400),
    ("Host with a space", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("Host list", b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("Host with a long port", b"GET / HTTP/1.1\r\nHost: h:123456\r\n\r\n", 400),
    ("line feeds only", b"GET / HTTP/1.1\nHost: h\n\n", 400),
    ("space before the colon", get(b"/", b"A : b\r\n"), 400),
    ("folded line", get(b"/", b"A: b\r\n c\r\n"), 400),
    ("NUL in a header", get(b"/", b"A: b\x00c\r\n"), 400),
    ("lone CR in a header", get(b"/", b"A: b\rc\r\n"), 400),
    ("no colon", get(b"/", b"A\r\n"), 400),
    ("many headers", get(b"/", *[b"A: b\r\n"] * 101), 431),
    ("10 000 headers", get(b"/", *[b"A: b\r\n"] * 10_000), 431),
    ("64 KiB of headers", get(b"/", b"A: " + b"b" * 65_536 + b"\r\n"), 431),
    ("1 MiB of headers", get(b"/", b"A: " + b"b" * 1_048_576 + b"\r\n"), 431),
    # framing
    ("length and coding", CHUNKED + b"Content-Length: 3\r\n\r\nabc", 400),
    ("coding and length", POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("two lengths", POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    ("the same length twice", POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    ("length list", POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    ("signed length", POST + b"Content-Length: +3\r\n\r\nabc", 400),
    ("negative length", POST + b"Content-Length: -3\r\n\r\nabc", 400),
    ("hexadecimal length", POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
    ("length with underscore", POST + b"Content-Length: 1_0\r\n\r\nabcdefghij", 400),
    ("length in other digits", POST + "Content-Length: ٣\r\n\r\nabc".encode(), 400),
    ("empty length", POST + b"Content-Length:\r\n\r\n", 400),
    ("huge length", POST + b"Content-Length: " + b"9" * 16 + b"\r\n\r\n", 400),
    ("coding list", POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
    ("unknown coding", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
    ("identity", POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
    ("two codings", CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("chunked in HTTP/1.0", CHUNKED.replace(b"/1.1", b"/1.0") + b"\r\n0\r\n\r\n", 400),
    (
        "upgrade with a body",
        get(b"/", b"Upgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n"),
        400,
    ),
]


@pytest.mark.parametrize(("sent", "status"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
@pytest.mark.parametrize("dripping", [False, True])
def test_a_doubtful_head_is_refused_and_nobody_sees_it(
    server: Door, app: RecordingApp, sent: bytes, status: int, dripping: bool
) -> None:
    parts = [sent[:9], sent[9:17], sent[17:-5], sent[-5:]] if dripping else [sent]
    answer = server.exchange(*parts)
    assert status_of(answer) == status
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert b"content-type: text/plain" in head
    assert body.count(b"\n") == 1
    assert b"HTTP/" not in body.replace(b"HTTP/1.", b"").replace(b"valid HTTP", b"")
    assert app.seen == []
    assert server.is_healthy()


BROKEN_BODIES = [
    ("chunk size is not hexadecimal", b"x\r\nabc\r\n0\r\n\r\n"),
    ("signed chunk size", b"+3\r\nabc\r\n0\r\n\r\n"),
    ("chunk size with 0x", b"0x3\r\nabc\r\n0\r\n\r\n"),
    ("chunk size overflow", b"FFFFFFFFFFFFFFFFF\r\nabc\r\n0\r\n\r\n"),
    ("space after the chunk size", b"3 \r\nabc\r\n0\r\n\r\n"),
    ("no line end after the chunk", b"3\r\nabc0\r\n\r\n"),
    ("line feed after the chunk size", b"3\nabc\r\n0\r\n\r\n"),
    ("line feed in a chunk extension", b"3;a\nabc\r\n0\r\n\r\n"),
    ("line feed after the chunk", b"3\r\nabc\n0\r\n\r\n"),
    ("long chunk extension", b"3;" + b"a" * 400 + b"\r\nabc\r\n0\r\n\r\n"),
    ("1 MiB of chunk extension", b"3;" + b"a" * 1_048_576 + b"\r\nabc\r\n0\r\n\r\n"),
    ("endless chunk extension", b"3;" + b"a" * 1_048_576),
    ("broken trailer", b"0\r\nA : b\r\n\r\n"),
]


@pytest.mark.parametrize("body", [c[1] for c in BROKEN_BODIES], ids=[c[0] for c in BROKEN_BODIES])
def test_a_broken_chunked_body_never_arrives_as_a_complete_one(
    server: Door, app: RecordingApp, body: bytes
) -> None:
    for parts in ([CHUNKED + b"\r\n" + body], [CHUNKED + b"\r\n", body]):
        app.seen.clear()
        answer = server.exchange(*parts)
        assert status_of(answer) == 400
        assert b"connection: close" in answer
        assert answer.count(b"HTTP/1.1 ") == 1
        assert eventually(lambda: all(seen.disconnected for seen in app.seen))
        assert not any(seen.complete for seen in app.seen)
    assert server.is_healthy()


def test_too_many_trailers_are_refused(server: Door, app: RecordingApp) -> None:
    trailers = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 100) for number in range(100))
    answer = server.exchange(CHUNKED + b"\r\n0\r\n", trailers + b"\r\n")
    assert status_of(answer) == 431
    assert not any(seen.complete for seen in app.seen)


@pytest.mark.parametrize(
    "parts",
    [
        [b"3\r\nabc\r\n0\r\nAuthorization: Basic x\r\nX-T: y\r\n\r\n"],
        [b"3\r\nabc\r\n", b"0\r\nAuthorization: Basic x\r\n", b"X-T: y\r\n\r\n"],
        [b"0\r\nAuthori", b"zation: Basic x\r\n\r\n"],
    ],
)
def test_trailers_never_become_headers(server: Door, app: RecordingApp, parts: list[bytes]) -> None:
    answer = server.exchange(CHUNKED + CLOSE + b"\r\n" + parts[0], *parts[1:])
    assert status_of(answer) == 200
    [seen] = app.seen
    assert seen.complete
    assert [name for name, _ in seen.headers] == [b"host", b"transfer-encoding", b"connection"]


ACCEPTED = [
    ("plain", get(b"/a?b=c"), (b"/a?b=c", b"")),
    ("absolute form", get(b"http://h/a?b"), (b"/a?b", b"")),
    ("absolute form, other case", get(b"HTTPS://H/a"), (b"/a", b"")),
    ("absolute form without a path", get(b"http://h?q"), (b"/?q", b"")),
    ("HTTP/1.0", get(b"/a", version=b"HTTP/1.0"), (b"/a", b"")),
    ("empty lines in front", b"\r\n\r\n" + get(b"/a"), (b"/a", b"")),
    ("dots and slashes", get(b"//a/./b"), (b"//a/./b", b"")),
    ("100 headers", get(b"/a", *[b"A: b\r\n"] * 98), (b"/a", b"")),
    ("60 KiB of headers", get(b"/a", b"A: " + b"b" * 60_000 + b"\r\n"), (b"/a", b"")),
    ("8 KiB of target", get(b"/" + b"a" * 8000), (b"/" + b"a" * 8000, b"")),
    ("IPv6 host", get(b"/a").replace(b"Host: h", b"Host: [::1]:9200"), (b"/a", b"")),
    ("asterisk", get(b"*").replace(b"GET", b"OPTIONS"), (b"*", b"")),
    ("TRACE is for the guard", get(b"/a").replace(b"GET", b"TRACE"), (b"/a", b"")),
    ("length", POST + CLOSE + b"Content-Length: 3\r\n\r\nabc", (b"/p", b"abc")),
    ("length 0", POST + CLOSE + b"Content-Length: 0\r\n\r\n", (b"/p", b"")),
    ("empty lines in a body", POST + CLOSE + b"Content-Length: 8\r\n\r\n" + BLANK, (b"/p", BLANK)),
    ("chunks", CHUNKED + CLOSE + b"\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", (b"/p", b"abcde")),
    ("chunk with empty lines", CHUNKED + CLOSE + b"\r\n8\r\n" + BLANK + LAST, (b"/p", BLANK)),
    ("chunk extension", CHUNKED + CLOSE + b"\r\n3;a=b\r\nabc\r\n0;c\r\n\r\n", (b"/p", b"abc")),
    (
        "many small chunks",
        CHUNKED + CLOSE + b"\r\n1" + b"\r\na\r\n1" * 5000 + b"\r\na" + LAST,
        (b"/p", b"a" * 5001),
    ),
    ("chunked in capitals", CHUNKED.replace(b"chunked", b"Chunked") + CLOSE + LAST, (b"/p", b"")),
    ("h2c is ignored", get(b"/a", b"Upgrade: h2c\r\nConnection: Upgrade, X\r\n"), (b"/a", b"")),
]


@pytest.mark.parametrize(("sent", "seen"), [c[1:] for c in ACCEPTED], ids=[c[0] for c in ACCEPTED])
@pytest.mark.parametrize("size", [None, 1000, 7])
def test_a_sound_request_arrives_however_it_is_cut(
    server: Door, app: RecordingApp, sent: bytes, seen: tuple[bytes, bytes], size: int | None
) -> None:
    size = size or len(sent)
    parts = [sent[at : at + size] for at in range(0, len(sent), size)][:200]
    parts.append(sent[size * len(parts) :])
    answer = server.exchange(*parts, pause=0.0005)
    assert status_of(answer) == 200
    assert answer.endswith(b"\r\n\r\nok")
    [arrived] = app.seen
    assert (arrived.target, arrived.body) == seen
    assert arrived.complete


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        (b"http://h/a", {"ocgate.target_origin": b"http://h"}),
        (b"HTTPS://H?b", {"ocgate.target_origin": b"https://H"}),
        (b"/a", {}),
        (b"/a?b", {}),
        (b"/a?", {"ocgate.empty_query": True}),
        (b"/a??", {}),
    ],
)
def test_the_scope_tells_what_the_path_and_the_query_cannot(
    server: Door, app: RecordingApp, target: bytes, keys: dict[str, object]
) -> None:
    assert status_of(server.exchange(get(target))) == 200
    scope = app.seen[0].scope
    assert {key: scope[key] for key in scope if key.startswith("ocgate.")} == keys


@pytest.mark.parametrize(
    ("sent_to", "user"), [(b"", "alan"), (b"https://h", "alan"), (b"http://h", None)]
)
def test_a_presigned_target_in_absolute_form_is_one_for_its_own_scheme(
    sent_to: bytes, user: str | None
) -> None:
    world = World(public_origin="https://h")
    url = asyncio.run(world.signed(origin="https://h")).encode()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        else:
            await world.app(scope, receive, send)
            await respond(send, 200, b"ok")

    with door(app) as server:
        answer = server.exchange(get(sent_to + url.removeprefix(b"https://h")))
    assert status_of(answer) == 200
    principal = world.inner[-1].get(PRINCIPAL)
    assert (principal and principal.account.name) == user


def test_pipelined_requests_are_answered_in_order(server: Door, app: RecordingApp) -> None:
    first = POST + b"Content-Length: 3\r\n\r\nabc"
    second = CHUNKED + b"\r\n3\r\ndef\r\n0\r\n\r\n"
    answer = server.exchange(first + second + get(b"/third"))
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert [seen.body for seen in app.seen] == [b"abc", b"def", b""]
    assert [seen.target for seen in app.seen] == [b"/p", b"/p", b"/third"]


@pytest.mark.parametrize("size", [1, 20_000, 1_000_000])
def test_what_follows_a_body_of_known_length_is_the_next_request(
    server: Door, app: RecordingApp, size: int
) -> None:
    body = (get(b"/smuggled") * (size // 40 + 1))[:size]
    put = b"PUT /%d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
    answer = server.exchange(put % (1, size) + body + put % (2, size) + body + get(b"/third"))
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert [seen.target for seen in app.seen] == [b"/1", b"/2", b"/third"]
    assert [seen.body for seen in app.seen] == [body, body, b""]


@pytest.mark.parametrize(("path", "status"), [(b"/p", 200), (b"/deny", 401)])
def test_a_request_behind_a_bulk_of_chunks_is_not_read(
    server: Door, app: RecordingApp, path: bytes, status: int
) -> None:
    bulk = CHUNKED.replace(b"/p", path) + b"\r\n4e20\r\n" + b"a" * 20_000 + LAST
    answer = server.exchange(bulk + get(b"/behind"))
    assert status_of(answer) == status
    # Where the network cut the packet differently the next request was there to be read.
    assert answer.count(b"HTTP/1.1 ") == len(app.seen)
    assert [seen.target for seen in app.seen] in ([path], [path, b"/behind"])
    assert status == 401 or (app.seen[0].body, app.seen[0].complete) == (b"a" * 20_000, True)


def test_a_bulk_of_chunks_behind_a_body_of_known_length_is_complete(
    server: Door, app: RecordingApp
) -> None:
    first = POST + b"Content-Length: 3\r\n\r\nabc"
    bulk = CHUNKED + CLOSE + b"\r\n4e20\r\n" + b"a" * 20_000 + LAST
    answer = server.exchange(first + bulk + get(b"/behind"))
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert [(seen.body, seen.complete) for seen in app.seen] == [
        (b"abc", True),
        (b"a" * 20_000, True),
    ]


def test_an_error_in_a_pipelined_request_comes_after_the_answers_before_it(
    server: Door, app: RecordingApp
) -> None:
    answer = server.exchange(POST + b"Content-Length: 3\r\n\r\nabc" + b"nonsense\r\n\r\n")
    assert answer.index(b"HTTP/1.1 200 OK") == 0
    assert answer.count(b"HTTP/1.1 400 ") == 1
    assert answer.index(b"ok") < answer.index(b"HTTP/1.1 400 ")
    assert len(app.seen) == 1


def test_what_the_app_is_handling_is_no_reason_for_the_refusal_of_what_follows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        try:
            scope["no such key"]
        except KeyError:
            await respond(send, 404, b"no")

    with door(app) as server:
        answer = server.exchange(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" + b"garbage\r\n\r\n")
    assert status_of(answer) == 404
    assert answer.count(b"HTTP/1.1 400 ") == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_nothing_behind_a_last_request_is_read(server: Door, app: RecordingApp) -> None:
    answer = server.exchange(get(b"/last") + get(b"/smuggled"))
    assert answer.count(b"HTTP/1.1 ") == 1
    assert [seen.target for seen in app.seen] == [b"/last"]


def test_a_refused_body_is_skipped_and_the_connection_kept(server: Door, app: RecordingApp) -> None:
    body = get(b"/smuggled")
    head = b"PUT /deny HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body)
    with server.connect() as client:
        client.sendall(head)
        assert status_of(read_response(client)) == 401
        client.sendall(body + get(b"/next"))
        answer = read_all(client)
    assert answer.count(b"HTTP/1.1 200 OK") == 1
    assert [seen.target for seen in app.seen] == [b"/deny", b"/next"]


@pytest.mark.parametrize("framing", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
def test_a_refused_body_that_is_too_long_ends_the_connection(
    server: Door, app: RecordingApp, framing: bytes
) -> None:
    head = b"PUT /deny HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n\r\n"
    body = b"186A0\r\n" + get(b"/smuggled") * 1200
    answer = server.exchange(head, body[:50_000], body[50_000:])
    assert status_of(answer) == 401
    assert answer.count(b"HTTP/1.1 ") == 1
    assert [seen.target for seen in app.seen] == [b"/deny"]
    assert (b"connection: close" in answer) is framing.startswith(b"Content")


def test_a_client_that_waits_for_100_is_not_asked_for_a_refused_body(server: Door) -> None:
    head = b"PUT /deny HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    answer = server.exchange(head)
    assert status_of(answer) == 401
    assert b"connection: close" in answer


def test_100_continue_is_sent_when_the_app_reads(server: Door, app: RecordingApp) -> None:
    head = POST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    with server.connect() as client:
        client.sendall(head)
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert status_of(read_all(client)) == 200
    assert app.seen[0].body == b"abc"


@pytest.mark.parametrize(
    "sent", [POST + b"Content-Length: 10\r\n\r\nabc", CHUNKED + b"\r\n3\r\nabc\r\n"]
)
def test_a_body_that_was_cut_off_is_a_disconnect(
    server: Door, app: RecordingApp, sent: bytes
) -> None:
    with server.connect() as client:
        client.sendall(sent)
        assert eventually(lambda: len(app.seen) == 1 and app.seen[0].body == b"abc")
    assert eventually(lambda: app.seen[0].disconnected)
    assert not app.seen[0].complete


def test_a_client_address_has_a_bounded_number_of_connections(app: RecordingApp) -> None:
    with door(app, limits=Limits(connections_per_address=2)) as server:
        with server.connect() as one, server.connect() as two:
            for client in (one, two):
                client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
                assert status_of(read_response(client)) == 200
            assert status_of(server.exchange(b"")) == 503
        assert eventually(server.is_healthy)


fragments = st.sampled_from(
    [
        *(
            b"GET / HTTP/1.1|POST /p HTTP/1.0|Host: h|Content-Length: 3|Content-Length: 0".split(
                b"|"
            )
        ),
        *(b"Transfer-Encoding: chunked|Connection: close|Upgrade: websocket|abc|0|3|;".split(b"|")),
        *(b"Expect: 100-continue|Connection: upgrade|\x00|\xff|\r|\n|:| ".split(b"|")),
    ]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    lines=st.lists(fragments | st.binary(max_size=4), max_size=8),
    glue=st.sampled_from([b"\r\n", b"\n", b""]),
    cut=st.integers(0, 80),
)
def test_no_bytes_end_in_a_500_or_without_http(
    server: Door, lines: list[bytes], glue: bytes, cut: int
) -> None:
    sent = b"GET / HTTP/1.1\r\nHost: h\r\n" + glue.join(lines) + b"\r\n\r\n"
    with server.connect() as client:
        with contextlib.suppress(OSError):
            client.sendall(sent[:cut])
            client.sendall(sent[cut:])
            client.shutdown(socket.SHUT_WR)
        answer = read_all(client)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert b"HTTP/1.1 500" not in answer
    assert server.is_healthy()
