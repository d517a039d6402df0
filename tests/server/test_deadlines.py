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


async def test_a_wait_is_never_cut_short() -> None:
    _, waiting = patience()
    assert not waiting.is_over(1e9)
    waiting.wait(10)
    assert not waiting.is_over(110)
    assert waiting.is_over(111)
    waiting.wait_forever()
    assert not waiting.is_over(1e9)


async def test_a_body_may_pause_and_may_not_trickle() -> None:
    sweeper, waiting = patience()
    waiting.wait_for_body()
    waiting.take(2000)
    assert not waiting.is_over(130)
    sweeper.now = 129
    assert not waiting.is_trickling(129)
    assert not waiting.is_over(130)
    assert waiting.is_over(131)
    waiting.take(1)
    assert not waiting.is_trickling(157)
    assert waiting.is_trickling(158)
    assert not waiting.is_over(158)


async def test_a_client_is_excused_for_the_time_in_which_nobody_reads() -> None:
    sweeper, waiting = patience()
    waiting.wait_for_body()
    sweeper.now = 500
    waiting.excuse()
    assert not waiting.is_trickling(500)
    assert not waiting.is_over(530)


async def test_a_client_stalls_when_what_it_has_not_read_stays_the_same() -> None:
    _, waiting = patience()
    assert not waiting.is_stalled(0, 0)
    assert not waiting.is_stalled(50, 1000)
    assert not waiting.is_stalled(109, 1000)
    assert not waiting.is_stalled(109, 999)
    assert not waiting.is_stalled(168, 999)
    assert waiting.is_stalled(169, 999)
    assert not waiting.is_stalled(170, 0)
