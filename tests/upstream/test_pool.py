import asyncio
import contextlib
from pathlib import Path

import pytest

from ocgate.core.errors import BadGateway, GatewayTimeout, Overloaded
from ocgate.upstream.connection import Connection
from ocgate.upstream.origin import Origin
from ocgate.upstream.pool import Pool
from ocgate.upstream.settings import Limits, Timeouts
from tests.support.scripted import OK, Peer, answering, scripted
from tests.support.served import client, served
from tests.upstream.relaying import GET, QUICK, gate


class Nobody:
    def watch(self) -> None:
        """Nobody watches."""


async def ask(connection: Connection) -> bytes:
    connection.begin(b"GET / HTTP/1.1\r\n\r\n", bodiless=False, owner=Nobody())
    await connection.answered()
    return await connection.read()


async def test_the_connection_used_last_is_used_next() -> None:
    async with scripted(answering(OK)) as backend:
        pool = Pool(Origin.parse(backend.origin))
        first, second = [await pool.connect() for _ in range(2)]
        for connection in (first, second):
            assert await ask(connection) == b"ok"
            pool.give_back(connection)
        assert pool.take(repeatable=True) is second
        assert pool.take(repeatable=True) is first
        assert pool.take(repeatable=True) is None
        for connection in (first, second):
            connection.reusable = False
            pool.give_back(connection)
        pool.close()


async def test_what_must_not_be_repeated_gets_no_connection_that_has_rested() -> None:
    async with scripted(answering(OK)) as backend:
        pool = Pool(Origin.parse(backend.origin))
        connection = await pool.connect()
        await ask(connection)
        pool.give_back(connection)
        assert pool.take(repeatable=False) is connection
        pool.give_back(connection)
        pool.tick += 5
        assert pool.take(repeatable=False) is None
        assert pool.take(repeatable=True) is connection
        pool.give_back(connection)
        pool.close()


async def test_an_unused_connection_is_closed_after_the_keep_alive_time() -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.write(OK)
        await peer.gone()
        gone.set()

    async with scripted(script) as backend:
        pool = Pool(Origin.parse(backend.origin), timeouts=Timeouts(keep_alive=0.25))
        connection = await pool.connect()
        await ask(connection)
        pool.give_back(connection)
        async with asyncio.timeout(5):
            await gone.wait()
        assert pool.idle == []


async def test_no_more_unused_connections_are_kept_than_allowed() -> None:
    async with scripted(answering(OK)) as backend:
        pool = Pool(Origin.parse(backend.origin), limits=Limits(idle_connections=1))
        connections = [await pool.connect() for _ in range(3)]
        for connection in connections:
            await ask(connection)
        for connection in connections:
            pool.give_back(connection)
        assert len(pool.idle) == 1
        pool.close()


async def test_who_finds_no_slot_waits_for_one_and_then_hears_503() -> None:
    release = asyncio.Event()

    async def script(peer: Peer) -> None:
        with contextlib.suppress(EOFError):
            while True:
                await peer.head()
                await release.wait()
                await peer.write(OK)

    async with scripted(script) as backend:
        app = gate(backend.origin, limits=Limits(connections=2), timeouts=Timeouts(slot=0.5))
        with served(app) as port:
            async with client(port) as a, client(port) as b, client(port) as c, client(port) as d:
                await a.send(GET)
                await b.send(GET)
                await asyncio.sleep(0.1)
                head, _ = await c.ask(GET)
                assert (head.status, head["retry-after"]) == (503, "1")
                await d.send(GET)
                await asyncio.sleep(0.1)
                release.set()
                for browser in (a, b, d):
                    assert (await browser.answer())[0].status == 200
        assert len(backend.peers) == 2


async def test_slots_are_free_again_after_the_clients_left() -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    async with scripted(script) as backend:
        app = gate(backend.origin, limits=Limits(connections=2), timeouts=Timeouts(slot=2))
        with served(app) as port:
            for number in (2, 4, 6):
                async with client(port) as a, client(port) as b:
                    await a.send(GET)
                    await b.send(GET)
                    async with asyncio.timeout(5):
                        while len(backend.peers) < number:
                            await asyncio.sleep(0.02)
                    await asyncio.sleep(0.1)
        assert len(backend.peers) == 6


async def test_an_address_that_refuses_is_a_bad_gateway() -> None:
    async with scripted(answering(OK)) as backend:
        origin = Origin.parse(backend.origin)
    with pytest.raises(BadGateway) as error:
        await Pool(origin).connect()
    assert str(origin.port) not in str(error.value)
    assert str(origin.port) in error.value.detail


async def test_an_address_that_is_silent_is_a_gateway_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def for_ever(self: Pool) -> Connection:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(Pool, "_dial", for_ever)
    pool = Pool(Origin.parse("http://127.0.0.1:1"), timeouts=QUICK, limits=Limits(connections=1))
    first = asyncio.create_task(pool.acquire(repeatable=True))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await pool.acquire(repeatable=True)
    with pytest.raises(GatewayTimeout):
        await first


async def test_a_unix_socket_is_a_backend_too(tmp_path: Path) -> None:
    path = str(tmp_path / "backend.sock")
    async with scripted(answering(OK), path=path) as backend:
        with served(gate(f"unix:{path}:/base", preserve_host=False)) as port:
            async with client(port) as browser:
                assert (await browser.ask(GET))[1] == b"ok"
        assert backend.peers[0].received.startswith(b"GET /base/a HTTP/1.1\r\nhost: localhost\r\n")
