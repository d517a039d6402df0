import asyncio

from ocgate.server.deadlines import Patience, Sweeper
from ocgate.server.limits import Limits


class Member:
    def __init__(self) -> None:
        self.swept: list[float] = []

    def sweep(self, now: float) -> None:
        self.swept.append(now)


async def test_members_are_swept_until_they_are_removed() -> None:
    sweeper = Sweeper(asyncio.get_running_loop(), 0.001)
    member = Member()
    sweeper.add(member)
    while len(member.swept) < 3:
        await asyncio.sleep(0.001)
    assert member.swept == sorted(member.swept)
    sweeper.remove(member)
    sweeper.remove(member)
    count = len(member.swept)
    await asyncio.sleep(0.01)
    assert len(member.swept) == count
    sweeper.add(member)
    while len(member.swept) == count:
        await asyncio.sleep(0.001)


def patience() -> tuple[Sweeper, Patience]:
    sweeper = Sweeper(asyncio.get_running_loop(), 1)
    sweeper.now = 100
    return sweeper, Patience(sweeper, Limits())


async def test_a_wait_is_at_most_as_long_as_it_says() -> None:
    _, waiting = patience()
    assert not waiting.is_over(1e9)
    waiting.wait(10)
    assert not waiting.is_over(108)
    assert waiting.is_over(109)
    waiting.wait_forever()
    assert not waiting.is_over(1e9)


async def test_a_body_may_pause_and_may_not_trickle() -> None:
    sweeper, waiting = patience()
    waiting.wait_for_body()
    waiting.take(2000)
    assert not waiting.is_over(128)
    sweeper.now = 127
    assert not waiting.is_trickling(127)
    assert not waiting.is_over(128)
    assert waiting.is_over(129)
    waiting.take(1)
    assert not waiting.is_trickling(153)
    assert waiting.is_trickling(154)
    assert not waiting.is_over(154)


async def test_a_client_is_excused_for_the_time_in_which_nobody_reads() -> None:
    sweeper, waiting = patience()
    waiting.wait_for_body()
    sweeper.now = 500
    waiting.excuse()
    assert not waiting.is_trickling(500)
    assert not waiting.is_over(528)


async def test_a_client_stalls_when_what_it_has_not_read_does_not_get_less() -> None:
    _, waiting = patience()
    assert not waiting.is_stalled(0, 0)
    assert not waiting.is_stalled(50, 1000)
    assert not waiting.is_stalled(106, 1000)
    assert not waiting.is_stalled(106, 999)
    assert not waiting.is_stalled(162, 999)
    assert waiting.is_stalled(163, 999)
    assert not waiting.is_stalled(164, 0)


async def test_what_is_written_to_a_client_is_not_progress_of_the_client() -> None:
    _, waiting = patience()
    for now in range(57):
        assert not waiting.is_stalled(now, 1000 + now)
    assert waiting.is_stalled(57, 2000)
