import asyncio

from uvicorn.server import ServerState

from ocgate.server.shared import Shared, shared_by

ONE = ("192.0.2.1", 1)
SAME = ("192.0.2.1", 2)
OTHER = ("192.0.2.2", 1)


async def test_each_address_has_its_own_count() -> None:
    shared = Shared(asyncio.get_running_loop(), 1)
    assert shared.admits(ONE, 1)
    assert not shared.admits(SAME, 1)
    assert shared.admits(OTHER, 1)
    shared.forget(SAME)
    shared.forget(ONE)
    assert shared.admits(SAME, 1)


async def test_without_a_bound_or_an_address_everybody_is_admitted() -> None:
    shared = Shared(asyncio.get_running_loop(), 1)
    assert all(shared.admits(ONE, None) for _ in range(10))
    assert all(shared.admits(None, 1) for _ in range(10))
    shared.forget(None)


async def test_the_connections_of_one_server_share_and_those_of_two_do_not() -> None:
    loop = asyncio.get_running_loop()
    one, other = ServerState(), ServerState()
    assert shared_by(one, loop, 1) is shared_by(one, loop, 1)
    assert shared_by(one, loop, 1) is not shared_by(other, loop, 1)
