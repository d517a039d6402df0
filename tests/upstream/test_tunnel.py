import asyncio
import base64
import hashlib

import pytest

from ocgate.server.protocol import HardenedProtocol
from tests.support.scripted import OK, Peer, scripted
from tests.support.served import client, served
from tests.upstream.relaying import gate, request

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = base64.b64encode(hashlib.sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
HANDSHAKE = request(
    b"Connection: keep-alive, Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Key: " + KEY,
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Protocol: chat",
)
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-accept: " + ACCEPT + b"\r\nsec-websocket-protocol: chat\r\n\r\n"
)


@pytest.mark.parametrize("delay", [None, 0, 0.001, 0.1])
async def test_after_the_handshake_bytes_pass_both_ways(delay: float | None) -> None:
    farewell: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        head = await peer.head()
        assert b"\r\nconnection: upgrade\r\nupgrade: websocket\r\n" in head
        assert b"\r\nsec-websocket-key: " + KEY in head
        if delay is None:
            await peer.write(SWITCH + b"early")
        else:
            await peer.write(SWITCH)
            await asyncio.sleep(delay)
            await peer.write(b"early")
        assert await peer.exactly(6) == b"\0\r\n\r\n\xff"
        await peer.write(b"x" * 1_000_000)
        farewell.set_result(await peer.gone())

    async with scripted(script) as backend:
        app = gate(backend.origin, allow_websocket=True)
        with served(app, http=HardenedProtocol) as port:
            async with client(port) as browser:
                await browser.send(HANDSHAKE + b"\0\r\n")
                head = await browser.head()
                assert head.status == 101
                assert head["sec-websocket-protocol"] == "chat"
                assert head["upgrade"] == "websocket"
                assert await browser.reader.readexactly(5) == b"early"
                await browser.send(b"\r\n\xff")
                assert await browser.reader.readexactly(1_000_000) == b"x" * 1_000_000
                await browser.send(b"bye")
                browser.writer.write_eof()
                assert await browser.ended() == b""
                async with asyncio.timeout(5):
                    assert await farewell == b"bye"


async def test_when_the_backend_closes_the_client_gets_the_last_bytes() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(SWITCH + b"x" * 300_000)

    async with scripted(script) as backend:
        app = gate(backend.origin, allow_websocket=True)
        with served(app, http=HardenedProtocol) as port:
            async with client(port) as browser:
                await browser.send(HANDSHAKE)
                assert (await browser.head()).status == 101
                assert await browser.ended() == b"x" * 300_000


async def test_a_side_that_does_not_read_slows_the_other() -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        await peer.write(SWITCH)
        while sent < 200_000_000:
            async with asyncio.timeout(20):
                await peer.write(b"x" * 100_000)
            sent += 100_000

    async with scripted(script) as backend:
        app = gate(backend.origin, allow_websocket=True)
        with served(app, http=HardenedProtocol) as port:
            async with client(port) as browser:
                await browser.send(HANDSHAKE)
                await browser.head()
                before = -1
                while sent != before:
                    before = sent
                    await asyncio.sleep(0.3)
                assert sent < 40_000_000


@pytest.mark.parametrize(
    "answer",
    [
        SWITCH.replace(ACCEPT, b"AAAA"),
        SWITCH.replace(b"upgrade: websocket", b"upgrade: h2c"),
        SWITCH.replace(b"connection: upgrade\r\n", b""),
        SWITCH.replace(b"sec-websocket-accept", b"x-other"),
    ],
)
async def test_a_101_that_does_not_fit_is_a_502(answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(answer)
        await peer.gone()

    async with scripted(script) as backend:
        app = gate(backend.origin, allow_websocket=True)
        with served(app, http=HardenedProtocol) as port:
            async with client(port) as browser:
                assert (await browser.ask(HANDSHAKE))[0].status == 502


@pytest.mark.parametrize("allowed", [True, False])
async def test_any_other_answer_is_an_ordinary_one(allowed: bool) -> None:
    async def script(peer: Peer) -> None:
        head = await peer.head()
        assert (b"upgrade: websocket" in head) is allowed
        await peer.write(OK)
        await peer.gone()

    async with scripted(script) as backend:
        app = gate(backend.origin, allow_websocket=allowed)
        with served(app, http=HardenedProtocol) as port:
            async with client(port) as browser:
                assert (await browser.ask(HANDSHAKE))[1] == b"ok"
