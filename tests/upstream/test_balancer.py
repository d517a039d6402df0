import itertools

import pytest

from ocgate.core.errors import ConfigError
from ocgate.upstream.balancer import Upstream
from tests.support.scripted import OK, answering, scripted
from tests.support.served import client, served
from tests.upstream.relaying import GET, gate


def named(name: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + name


async def test_addresses_take_turns() -> None:
    async with scripted(answering(named(b"a"))) as a, scripted(answering(named(b"b"))) as b:
        with served(gate(a.origin, b.origin)) as port:
            async with client(port) as browser:
                bodies = [(await browser.ask(GET))[1] for _ in range(8)]
        assert sorted(bodies) == [b"a"] * 4 + [b"b"] * 4
        assert all(x != y for x, y in itertools.pairwise(bodies))
        assert len(a.peers) == len(b.peers) == 1


async def test_an_address_that_cannot_be_reached_is_passed_over() -> None:
    async with scripted(answering(OK)) as gone:
        dead = gone.origin
    async with scripted(answering(named(b"a"))) as a:
        with served(gate(dead, a.origin)) as port:
            async with client(port) as browser:
                for _ in range(6):
                    assert (await browser.ask(GET))[1] == b"a"


async def test_when_all_are_down_all_are_tried() -> None:
    async with scripted(answering(OK)) as gone:
        dead = gone.origin
    async with scripted(answering(OK)) as other:
        with served(gate(dead, other.origin.replace("127.0.0.1", "127.0.0.2"))) as port:
            async with client(port) as browser:
                for _ in range(3):
                    assert (await browser.ask(GET))[0].status == 502


async def test_a_backend_that_comes_back_is_used_at_once() -> None:
    async with scripted(answering(OK)) as gone:
        dead = gone.origin
    with served(gate(dead)) as port:
        async with client(port) as browser:
            assert (await browser.ask(GET))[0].status == 502
            async with scripted(answering(OK), port=gone.port):
                assert (await browser.ask(GET))[0].status == 200


def test_a_backend_has_an_address() -> None:
    with pytest.raises(ConfigError):
        Upstream([])
