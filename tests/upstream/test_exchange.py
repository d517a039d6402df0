import asyncio
import contextlib

import pytest

from tests.support.scripted import OK, Peer, scripted
from tests.support.served import Head, client, served
from tests.upstream.relaying import GET, QUICK, gate, put, request

CHUNKED = request(b"transfer-encoding: chunked", method=b"PUT")
CREATED = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge"


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
async def test_a_body_of_known_length_arrives_as_it_was(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]

    async def script(peer: Peer) -> None:
        for _ in range(2):
            head = await peer.head()
            assert b"content-length: %d\r\n" % size in head
            assert b"transfer-encoding" not in head
            assert await peer.exactly(size) == body
            await peer.write(CREATED)
        await peer.gone()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                for _ in range(2):
                    assert (await browser.ask(put(body)))[0].status == 201
        assert len(backend.peers) == 1, "the connection is used again after an upload"


async def test_a_chunked_body_arrives_chunked_and_without_its_trailers() -> None:
    async def script(peer: Peer) -> None:
        head = await peer.head()
        assert b"\r\ntransfer-encoding: chunked\r\n" in head
        assert b"content-length" not in head
        received = await peer.until(b"0\r\n\r\n")
        assert b"X-Trailer" not in received
        assert b"hello" in received
        await peer.write(CREATED)
        await peer.gone()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                await browser.send(CHUNKED)
                await browser.send(b"5;ext=1\r\nhello\r\n")
                await browser.send(b"1\r\n!\r\n0\r\nX-Trailer: 1\r\n\r\n")
                assert (await browser.answer())[0].status == 201


@pytest.mark.parametrize(
    "start", [CHUNKED + b"5\r\nhello\r\n", put(b"x" * 1000)[:-500], CHUNKED, put(b"x")[:-1]]
)
async def test_an_upload_that_breaks_off_never_arrives_as_a_whole(start: bytes) -> None:
    asked: asyncio.Event = asyncio.Event()
    rest: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        await peer.head()
        asked.set()
        rest.set_result(await peer.gone())

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                await browser.send(start)
                await asked.wait()
                await asyncio.sleep(0.05)
            async with asyncio.timeout(5):
                received = await rest
        body = start.partition(b"\r\n\r\n")[2]
        assert received == body


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("sent", [GET, put(b"body")])
async def test_when_the_client_leaves_the_backend_is_left_at_once(sent: bytes, begun: bool) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        if begun:
            await peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nsome")
        asked.set()
        await peer.gone()
        left.set()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                await browser.send(sent)
                await asked.wait()
                if begun:
                    await browser.head()
                await asyncio.sleep(0.05)
                assert not left.is_set()
            async with asyncio.timeout(3):
                await left.wait()


async def test_a_client_that_leaves_a_long_download_stops_it() -> None:
    left = asyncio.Event()
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        await peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        watching = asyncio.create_task(peer.gone())
        while not watching.done():
            await peer.write(b"x" * 65536)
            sent += 65536
        left.set()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                await browser.send(GET)
                await browser.head()
            async with asyncio.timeout(5):
                await left.wait()
    assert sent < 100_000_000


async def test_a_backend_that_wants_the_body_asks_for_it_first() -> None:
    async def script(peer: Peer) -> None:
        assert b"\r\nexpect: 100-continue\r\n" in await peer.head()
        await peer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await peer.exactly(4) == b"body"
        await peer.write(CREATED)
        await peer.gone()

    sent = put(b"body", b"Expect: 100-continue")
    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                await browser.send(sent[:-4])
                assert (await browser.head()).status == 100
                await browser.send(b"body")
                assert (await browser.answer())[0].status == 201


async def test_a_backend_that_refuses_at_once_spares_the_client_the_body() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await asyncio.sleep(0.1)
        await peer.write(TOO_LARGE)
        assert await peer.gone() == b""

    sent = put(b"body", b"Expect: 100-continue")
    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                head, body = await browser.ask(sent[:-4])
                assert (head.status, body) == (413, b"large")
                assert head["connection"] == "close"
                assert await browser.ended() == b""


async def test_an_old_backend_that_knows_no_expect_gets_the_body_after_a_moment() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        assert await peer.exactly(4) == b"body"
        await peer.write(CREATED)
        await peer.gone()

    sent = put(b"body", b"Expect: 100-continue")
    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                await browser.send(sent[:-4])
                assert (await browser.head()).status == 100
                await browser.send(b"body")
                assert (await browser.answer())[0].status == 201


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_early_refusal_reaches_a_client_that_still_uploads(chunked: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(TOO_LARGE)
        await peer.gone()

    start = CHUNKED + b"5\r\nhello\r\n" if chunked else put(b"x" * 1_000_000)[:-900_000]
    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                head, body = await browser.ask(start)
                assert (head.status, body) == (413, b"large")
                assert head["connection"] == "close"
                assert await browser.ended() == b""
                assert (await other(port)).status == 413
        assert len(backend.peers) == 2, "the connection was used again"


async def other(port: int) -> Head:
    async with client(port) as browser:
        return (await browser.ask(GET))[0]


async def test_a_client_that_reads_only_after_its_upload_sees_the_early_refusal() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(TOO_LARGE)
        await peer.gone()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                sent = put(b"x" * 4_000_000)
                for at in range(0, len(sent), 500_000):
                    await browser.send(sent[at : at + 500_000])
                    await asyncio.sleep(0.02)
                assert (await browser.answer())[1] == b"large"


async def test_a_backend_that_answers_early_and_reads_on_gets_the_whole_upload() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        assert await peer.exactly(1_000_000) == b"x" * 1_000_000
        await peer.write(b"2\r\nok\r\n0\r\n\r\n")
        await peer.gone()

    sent = put(b"x" * 1_000_000)
    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                await browser.send(sent[:-1])
                head = await browser.head()
                await browser.send(sent[-1:])
                assert (head.status, await browser.body(head)) == (200, b"ok")


@pytest.mark.parametrize(("sent", "status"), [(GET, 200), (request(method=b"DELETE"), 502)])
async def test_a_stale_connection_is_replaced_only_for_what_may_be_repeated(
    sent: bytes, status: int
) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(OK)
        if peer.number == 0:
            await peer.head()
            return  # closes just as the connection is used again
        await peer.gone()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                assert (await browser.ask(GET))[0].status == 200
                assert (await browser.ask(sent))[0].status == status
        assert len(backend.peers) == (2 if status == 200 else 1)


async def test_a_second_failure_is_not_tried_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 0:
            await peer.write(OK)
            await peer.head()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                assert (await browser.ask(GET))[0].status == 200
                assert (await browser.ask(GET))[0].status == 502
        assert len(backend.peers) == 2


async def test_a_connection_that_said_something_is_not_replaced() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(OK)
        await peer.head()
        await peer.write(b"HTTP/1.1 2")

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                assert (await browser.ask(GET))[0].status == 200
                assert (await browser.ask(GET))[0].status == 502
        assert len(backend.peers) == 1


async def test_an_upload_whose_body_has_not_begun_is_repeated() -> None:
    body = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        if peer.number == 0:
            await peer.write(OK)
            await peer.head()
            peer.close()
            body.set()
            return
        assert await peer.exactly(4) == b"body"
        await peer.write(CREATED)
        await peer.gone()

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                assert (await browser.ask(GET))[0].status == 200
                await browser.send(put(b"body")[:-4])
                await body.wait()
                await asyncio.sleep(0.2)
                await browser.send(b"body")
                assert (await browser.answer())[0].status == 201


async def test_a_backend_that_does_not_read_bounds_what_is_taken_from_the_client() -> None:
    release = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await release.wait()
        await peer.write(TOO_LARGE)

    async with scripted(script) as backend:
        with served(gate(backend.origin)) as port:
            async with client(port) as browser:
                head = request(b"content-length: 1000000000", method=b"PUT")
                browser.writer.write(head)
                taken = 0
                with contextlib.suppress(TimeoutError):
                    while taken < 100_000_000:
                        async with asyncio.timeout(0.5):
                            await browser.send(b"x" * 100_000)
                        taken += 100_000
                assert taken < 40_000_000
                release.set()
                assert (await browser.head()).status == 413


async def test_a_backend_that_never_reads_is_a_504() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await asyncio.sleep(5)

    async with scripted(script) as backend:
        with served(gate(backend.origin, timeouts=QUICK)) as port:
            async with client(port) as browser:
                browser.writer.write(put(b"x" * 30_000_000))
                assert (await browser.head()).status == 504


async def test_a_slow_upload_is_not_the_backends_fault() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.exactly(4)
        await peer.write(CREATED)
        await peer.gone()

    async with scripted(script) as backend:
        with served(gate(backend.origin, timeouts=QUICK)) as port:
            async with client(port) as browser:
                sent = put(b"body")
                await browser.send(sent[:-1])
                await asyncio.sleep(1.2)
                await browser.send(sent[-1:])
                assert (await browser.answer())[0].status == 201
