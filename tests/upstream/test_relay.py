import asyncio
from typing import Any

import pytest
from starlette.types import Message, Scope

from ocgate.core.identity import PRINCIPAL, Account, Principal
from tests.support.scripted import OK, Peer, answering, scripted
from tests.support.served import Head, Truncated, client, served
from tests.upstream.relaying import GET, QUICK, gate, request


def lines(head: bytes) -> list[bytes]:
    return head.removesuffix(b"\r\n\r\n").split(b"\r\n")


async def asked(*fields: bytes, target: bytes = b"/a", **options: Any) -> list[bytes]:
    """Return the lines that a backend sees of a request with these fields."""
    async with scripted(answering(OK)) as backend:
        with served(gate(backend.origin, **options)) as port:
            async with client(port) as browser:
                head, body = await browser.ask(request(*fields, target=target))
        assert (head.status, body) == (200, b"ok")
        return lines(backend.peers[0].received)


def alice(scope: Scope) -> list[tuple[bytes, bytes]]:
    return [(b"x-mine", b"alice")]


async def answered(answer: bytes, sent: bytes = GET, **options: Any) -> tuple[Head, bytes]:
    async with scripted(answering(answer)) as backend:
        with served(gate(backend.origin, **options)) as port:
            async with client(port) as browser:
                return await browser.ask(sent)


async def test_the_backend_gets_the_request_as_it_was_plus_the_forwarding_fields() -> None:
    seen = await asked(b"Accept: */*", b"X-Any: a  b", b"Cookie: c=1")
    assert seen == [
        b"GET /a HTTP/1.1",
        b"host: gate.example",
        b"accept: */*",
        b"x-any: a  b",
        b"cookie: c=1",
        b"x-forwarded-proto: http",
        b"x-forwarded-for: 127.0.0.1",
        b"x-forwarded-host: gate.example",
        b'forwarded: for=127.0.0.1;proto=http;host="gate.example"',
    ]


async def test_the_target_is_forwarded_byte_for_byte() -> None:
    target = b"/a//b/./%7e%2b%C3%BC+;x=1/$%24[]?q=%41&&=&OC-Signature=%zz?"
    assert (await asked(target=target))[0] == b"GET " + target + b" HTTP/1.1"


async def test_a_clients_identity_and_forwarding_fields_never_reach_the_backend() -> None:
    seen = await asked(
        b"X-Remote-User: root",
        b"X_Remote_User: root",
        b"X-Forwarded-For: 6.6.6.6",
        b"X-Forwarded-Prefix: /evil",
        b"Forwarded: for=6.6.6.6",
        b"X-Real-IP: 6.6.6.6",
        b"Proxy: http://evil",
        b"X-Mine: root",
        headers_for=alice,
    )
    text = b"\n".join(seen)
    assert b"root" not in text
    assert b"6.6.6.6" not in text
    assert b"evil" not in text
    assert b"x-mine: alice" in seen


async def test_connection_cannot_take_our_fields_or_the_credential_away() -> None:
    seen = await asked(
        b"Connection: close, x-mine, x-forwarded-for, authorization, cookie, host, x-hop",
        b"Authorization: Basic YTpi",
        b"Cookie: c=1",
        b"X-Hop: for this hop",
        b"X-Hope: end to end",
        headers_for=alice,
    )
    assert b"x-hop: for this hop" not in seen
    assert {
        b"x-hope: end to end",
        b"x-mine: alice",
        b"authorization: Basic YTpi",
        b"cookie: c=1",
        b"x-forwarded-for: 127.0.0.1",
        b"host: gate.example",
    } <= set(seen)


async def test_a_credential_that_the_gate_used_up_stays_at_the_gate() -> None:
    field = b"Authorization: Basic YTpi"
    known = {PRINCIPAL: Principal(Account("1", "alice"), proven_by="basic")}
    assert b"authorization: Basic YTpi" in await asked(field)
    assert b"authorization: Basic YTpi" not in await asked(field, scope=known)
    assert b"authorization: Basic YTpi" in await asked(
        field, scope=known, forward_authorization=True
    )


async def test_the_request_id_is_ours_where_there_is_one() -> None:
    theirs = b"X-Request-Id: theirs"
    assert b"x-request-id: theirs" in await asked(theirs)
    seen = await asked(theirs, scope={"ocgate.request_id": "ours"})
    assert [line for line in seen if line.startswith(b"x-request-id")] == [b"x-request-id: ours"]


async def test_the_backend_gets_its_own_host_on_demand() -> None:
    seen = await asked(preserve_host=False)
    assert seen[1].startswith(b"host: 127.0.0.1:")
    assert b"x-forwarded-host: gate.example" in seen


async def test_a_public_prefix_is_another_one_at_the_backend() -> None:
    seen = await asked(target=b"/files/a%20b?x=1", path_map=(b"/files", b"/dav/alice"))
    assert seen[0] == b"GET /dav/alice/a%20b?x=1 HTTP/1.1"


async def test_destination_and_location_are_rewritten() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        host = f"127.0.0.1:{backend.port}".encode()
        await peer.write(
            b"HTTP/1.1 201 Created\r\nlocation: http://" + host + b"/dav/b?x#y\r\n"
            b"content-location: /dav/b\r\ncontent-length: 0\r\n\r\n"
        )
        await peer.gone()

    async with scripted(script) as backend:
        app = gate(backend.origin, path_map=(b"/files", b"/dav"), preserve_host=False)
        with served(app) as port:
            async with client(port) as browser:
                head, _ = await browser.ask(
                    request(
                        b"Destination: http://gate.example/files/b%20c",
                        method=b"MOVE",
                        target=b"/files/a",
                    )
                )
                assert head["location"] == "http://gate.example/files/b?x#y"
                assert head["content-location"] == "/files/b"
        own = f"destination: http://127.0.0.1:{backend.port}/dav/b%20c".encode()
        assert own in lines(backend.peers[0].received)


@pytest.mark.parametrize(
    "destination", [b"http://other.example/files/b", b"http://gate.example/elsewhere/b"]
)
async def test_a_destination_elsewhere_is_a_502(destination: bytes) -> None:
    async with scripted(answering(OK)) as backend:
        with served(gate(backend.origin, path_map=(b"/files", b"/dav"))) as port:
            async with client(port) as browser:
                head, _ = await browser.ask(
                    request(b"Destination: " + destination, method=b"COPY", target=b"/files/a")
                )
        assert head.status == 502
        assert backend.peers == [] or backend.peers[0].received == b""


async def test_the_answer_keeps_its_end_to_end_fields_only() -> None:
    head, body = await answered(
        b"HTTP/1.1 200 Fine\r\nDate: then\r\nServer: theirs\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
        b'Connection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nETag: W/"1"\r\n'
        b"Content-Length: 2\r\n\r\nok"
    )
    assert body == b"ok"
    assert head.fields == (
        ("date", "then"),
        ("server", "theirs"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("etag", 'W/"1"'),
        ("content-length", "2"),
    )


@pytest.mark.parametrize(
    ("sent", "answer", "body"),
    [
        (GET, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", b"ok"),
        (GET, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b""),
        (GET, b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + OK, b"ok"),
        (GET, b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
    ],
)
async def test_every_framing_arrives(sent: bytes, answer: bytes, body: bytes) -> None:
    head, got = await answered(answer, sent)
    assert (head.status, got) == (200, body)
    assert head["link"] is None


async def test_an_answer_that_ends_with_the_connection_arrives() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(3):
            await peer.write(b"x" * 100_000)

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                _, body = await browser.ask(GET)
                assert body == b"x" * 300_000
                assert (await browser.ask(GET))[1] == body
        assert len(backend.peers) == 2


@pytest.mark.parametrize(
    ("method", "status"), [(b"HEAD", b"200 OK"), (b"GET", b"204 No"), (b"GET", b"304 Same")]
)
async def test_answers_without_a_body_leave_the_connection_in_step(
    method: bytes, status: bytes
) -> None:
    answer = b"HTTP/1.1 " + status + b"\r\ncontent-length: 5\r\netag: x\r\n\r\n"
    async with scripted(answering(answer)) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                for _ in range(3):
                    await browser.send(request(method=method))
                    head = await browser.head()
                    assert head.status == int(status[:3])
                    assert head["etag"] == "x"
                    assert head["content-length"] == ("5" if method == b"HEAD" else None)
        assert len(backend.peers) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\rc\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\0c\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: b\nset-cookie: c\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n a: b\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na : b\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + OK,
    ],
)
async def test_what_is_not_one_answer_is_a_502(answer: bytes) -> None:
    async with scripted(answering(answer)) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                head, body = await browser.ask(GET)
                assert head.status == 502
                assert b"127.0.0.1" not in body
                head, _ = await browser.ask(GET)
                assert head.status == 502
        assert len(backend.peers) == 2, "the connection was used again"


@pytest.mark.parametrize("reset", [False, True])
async def test_a_backend_that_hangs_up_without_an_answer_is_a_502(reset: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        if reset:
            peer.reset()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                assert (await browser.ask(GET))[0].status == 502


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("delay", [0, 0.1])
async def test_a_truncated_body_never_looks_whole(start: bytes, reset: bool, delay: float) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        head, _, body = start.partition(b"\r\n\r\n")
        await peer.write(head + b"\r\n\r\n")
        await asyncio.sleep(delay)
        await peer.write(body)
        if reset:
            await asyncio.sleep(0.05)
            peer.reset()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                await browser.send(GET)
                head = await browser.head()
                if head.status != 502:
                    assert head.status == 200
                    with pytest.raises(Truncated):
                        await browser.body(head)


async def test_surplus_bytes_reach_nobody() -> None:
    poison = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nPOISONED!"
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    for answer in (OK, chunked, OK[:-2]):
        async with scripted(answering(answer + poison)) as backend:
            with served(gate(backend.origin)) as port:
                async with client(port) as browser:
                    for _ in range(3):
                        _, body = await browser.ask(GET)
                        assert body == (b"HT" if answer == OK[:-2] else b"ok")
            assert len(backend.peers) == 3


async def test_surplus_bytes_that_come_late_end_the_idle_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(OK)
        await asyncio.sleep(0.1)
        await peer.write(OK)
        assert await peer.gone() == b""

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                for _ in range(2):
                    assert (await browser.ask(GET))[1] == b"ok"
                    await asyncio.sleep(0.3)
        assert len(backend.peers) == 2


async def test_range_and_multipart_answers_pass_untouched() -> None:
    partial = b"HTTP/1.1 206 P\r\ncontent-range: bytes 0-1/9\r\ncontent-length: 2\r\n\r\nok"
    head, body = await answered(partial, request(b"Range: bytes=0-1"))
    assert (head.status, body) == (206, b"ok")
    assert head["content-range"] == "bytes 0-1/9"


async def test_a_silent_backend_is_a_504_and_a_missing_one_a_502() -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    async with scripted(script) as backend:
        with served(gate(backend.origin, timeouts=QUICK)) as port:
            async with client(port) as browser:
                assert (await browser.ask(GET))[0].status == 504
        origin = backend.origin
    with served(gate(origin)) as port:
        async with client(port) as browser:
            assert (await browser.ask(GET))[0].status == 502


async def test_a_backend_that_stalls_in_the_body_is_cut() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(OK[:-1])
        await peer.gone()

    async with scripted(script) as backend:
        with served(gate(backend.origin, timeouts=QUICK)) as port:
            async with client(port) as browser:
                await browser.send(GET)
                head = await browser.head()
                with pytest.raises(Truncated):
                    await browser.body(head)


async def test_an_upgrade_elsewhere_is_dropped() -> None:
    seen = await asked(
        b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x"
    )
    assert not [line for line in seen if b"pgrade" in line.lower() or b"settings" in line.lower()]


async def nothing() -> Message:
    raise AssertionError


async def anything(message: Message) -> None:
    raise AssertionError(message)


async def test_only_http_is_relayed() -> None:
    with pytest.raises(Exception, match="websocket"):
        await gate("http://127.0.0.1:1")({"type": "websocket"}, nothing, anything)


SMALL_START = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


async def test_head_and_small_body_go_on_together_and_a_broken_one_is_a_502() -> None:
    async def cut_off(peer: Peer) -> None:
        await peer.head()
        await peer.write(SMALL_START + b"abc")
        peer.close()

    async def in_two_pieces(peer: Peer) -> None:
        await peer.head()
        await peer.write(SMALL_START + b"abc")
        await asyncio.sleep(0.02)
        await peer.write(b"de")
        await peer.gone()

    for script, status, whole in ((cut_off, 502, None), (in_two_pieces, 200, b"abcde")):
        async with scripted(script) as backend:
            with served(gate(backend.origin)) as port:
                async with client(port) as browser:
                    head, body = await browser.ask(GET)
        assert head.status == status
        assert whole is None or body == whole


async def test_a_small_body_that_takes_its_time_does_not_hold_the_head_back() -> None:
    the_head_arrived = asyncio.Event()

    async def hesitating(peer: Peer) -> None:
        await peer.head()
        await peer.write(SMALL_START)
        async with asyncio.timeout(20):
            await the_head_arrived.wait()
        await peer.write(b"later")
        await peer.gone()

    async with scripted(hesitating) as backend:
        with served(gate(backend.origin)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            async with asyncio.timeout(20):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                the_head_arrived.set()
                assert await reader.readexactly(5) == b"later"
            writer.close()
