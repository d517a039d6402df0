import asyncio

import pytest

from ocgate.core.errors import BadGateway
from ocgate.upstream.connection import HIGH, ClientGone
from ocgate.upstream.origin import Origin
from ocgate.upstream.pool import Pool
from tests.support.scripted import OK, Peer, answering, scripted
from tests.upstream.test_pool import Nobody, ask

LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n"


async def test_reading_stops_while_nobody_takes_what_came() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(LONG + b"x" * 50_000_000)
        await peer.gone()

    async with scripted(script) as backend:
        pool = Pool(Origin.parse(backend.origin))
        connection = await pool.connect()
        connection.begin(b"GET / HTTP/1.1\r\n\r\n", bodiless=False, owner=Nobody())
        await connection.answered()
        await asyncio.sleep(0.3)
        assert connection.reading_paused
        assert connection.queued <= HIGH + 256 * 1024
        size = 0
        while chunk := await connection.read():
            size += len(chunk)
        assert size == 50_000_000
        pool.give_back(connection)
        assert pool.take(repeatable=True) is connection, "it can be used again"
        connection.fail(ClientGone())
        pool.give_back(connection)


async def test_fail_tells_whoever_waits() -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    async with scripted(script) as backend:
        pool = Pool(Origin.parse(backend.origin))
        connection = await pool.connect()
        waiting = asyncio.create_task(ask(connection))
        await asyncio.sleep(0.05)
        connection.fail(ClientGone())
        connection.fail(BadGateway("too late to matter"))
        with pytest.raises(ClientGone):
            await waiting
        pool.give_back(connection)
        assert pool.take(repeatable=True) is None


async def test_an_owner_is_told_that_the_answer_takes_its_time() -> None:
    told = asyncio.Event()

    class Owner:
        def watch(self) -> None:
            told.set()

    async def script(peer: Peer) -> None:
        await peer.head()
        await told.wait()
        await peer.write(OK)
        await peer.gone()

    async with scripted(script) as backend:
        pool = Pool(Origin.parse(backend.origin))
        connection = await pool.connect()
        connection.begin(b"GET / HTTP/1.1\r\n\r\n", bodiless=False, owner=Owner())
        async with asyncio.timeout(5):
            await connection.answered()
        pool.give_back(connection)
        pool.close()


async def test_go_ahead_waits_no_longer_than_it_should() -> None:
    async with scripted(answering(OK)) as backend:
        pool = Pool(Origin.parse(backend.origin))
        connection = await pool.connect()
        connection.begin(b"GET / HTTP/1.1\r\n", bodiless=False, owner=Nobody())
        await connection.go_ahead(0.05)
        assert not connection.continued
        connection.transport.write(b"\r\n")
        await connection.go_ahead(5)
        assert connection.status == 200
        pool.give_back(connection)
        pool.close()
