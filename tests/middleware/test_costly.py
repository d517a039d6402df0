import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial

import pytest

from ocgate.core.errors import Overloaded
from ocgate_middleware.costly import (
    CostlyWork,
    FailureLimit,
    Verdicts,
    client_name,
    run_costly,
)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_an_outcome_is_remembered_until_its_age_is_reached() -> None:
    clock = Clock()
    verdicts: Verdicts[str] = Verdicts(now=clock)
    key = verdicts.key(b"credential")
    assert verdicts.get(key) is None
    verdicts.remember(key, "yes", seconds=5)
    clock.seconds += 4.9
    assert verdicts.get(key) == "yes"
    clock.seconds += 0.1
    assert verdicts.get(key) is None


def test_the_outcome_used_longest_ago_gives_way() -> None:
    verdicts: Verdicts[int] = Verdicts(size=2)
    a, b, c = (verdicts.key(name) for name in (b"a", b"b", b"c"))
    verdicts.remember(a, 1, seconds=9)
    verdicts.remember(b, 2, seconds=9)
    assert verdicts.get(a) == 1
    verdicts.remember(c, 3, seconds=9)
    assert (verdicts.get(a), verdicts.get(b), verdicts.get(c)) == (1, None, 3)


def test_a_forgotten_outcome_is_gone_and_forgetting_twice_is_no_error() -> None:
    verdicts: Verdicts[int] = Verdicts()
    key = verdicts.key(b"a")
    verdicts.remember(key, 1, seconds=9)
    verdicts.forget(key)
    verdicts.forget(key)
    assert verdicts.get(key) is None


def test_parts_are_kept_apart_and_do_not_stand_in_the_key() -> None:
    verdicts: Verdicts[int] = Verdicts()
    assert verdicts.key(b"ab", b"c") != verdicts.key(b"a", b"bc") != verdicts.key(b"abc")
    assert verdicts.key(b"ab", b"c") == verdicts.key(b"ab", b"c")
    assert b"ab" not in verdicts.key(b"ab")


async def test_concurrent_callers_share_one_computation() -> None:
    verdicts: Verdicts[int] = Verdicts()
    key = verdicts.key(b"a")
    calls = 0

    async def compute() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return 7

    assert await asyncio.gather(*(verdicts.once(key, compute) for _ in range(100))) == [7] * 100
    assert calls == 1
    assert await verdicts.once(key, compute) == 7
    assert calls == 2


async def test_a_cancelled_first_caller_does_not_break_the_others() -> None:
    verdicts: Verdicts[int] = Verdicts()
    key = verdicts.key(b"a")
    go = asyncio.Event()

    async def compute() -> int:
        await go.wait()
        return 7

    first = asyncio.create_task(verdicts.once(key, compute))
    second = asyncio.create_task(verdicts.once(key, compute))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go.set()
    assert await second == 7


async def test_an_exception_reaches_every_caller_and_is_not_remembered() -> None:
    verdicts: Verdicts[int] = Verdicts()
    key = verdicts.key(b"a")

    async def fail() -> int:
        await asyncio.sleep(0)
        raise Overloaded("full")

    async def succeed() -> int:
        return 1

    outcomes = await asyncio.gather(
        *(verdicts.once(key, fail) for _ in range(3)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Overloaded] * 3
    assert await verdicts.once(key, succeed) == 1


def test_a_name_is_blocked_after_its_attempts_and_free_again_later() -> None:
    clock = Clock()
    limit = FailureLimit(attempts=3, seconds=30, now=clock)
    limit.failed("client")
    limit.failed("client")
    assert not limit.blocked("client")
    limit.failed("client", "alan")
    assert limit.blocked("client")
    assert limit.blocked("mary", "client")
    assert not limit.blocked("alan")
    clock.seconds += 10.1
    assert not limit.blocked("client")


def test_a_burst_is_forgiven_as_soon_as_a_single_failure() -> None:
    clock = Clock()
    limit = FailureLimit(attempts=2, seconds=20, now=clock)
    for _ in range(50):
        limit.failed("client")
    assert limit.blocked("client")
    clock.seconds += 10.1
    assert not limit.blocked("client")


def test_empty_names_are_never_limited() -> None:
    limit = FailureLimit(attempts=1, seconds=30)
    limit.failed("", "")
    assert not limit.blocked("")
    limit.failed("a")
    assert limit.blocked("a")


def test_the_number_of_names_is_bounded() -> None:
    limit = FailureLimit(attempts=1, seconds=30, size=2)
    for name in ("a", "b", "c"):
        limit.failed(name)
    assert [limit.blocked(name) for name in ("a", "b", "c")] == [False, True, True]


@pytest.mark.parametrize(
    ("client", "name"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("odd:name", 1), "odd:name"),
        (None, ""),
    ],
)
def test_a_client_is_named_by_its_network(client: tuple[str, int] | None, name: str) -> None:
    assert client_name({"client": client}) == name


class Gate:
    """One thread that is kept busy until `open` is called, and a record of who ran."""

    def __init__(self, queue_size: int) -> None:
        self.work = CostlyWork(threads=1, queue_size=queue_size)
        self.ran: list[str] = []
        self.busy = threading.Event()
        self.opened = threading.Event()

    def hold(self) -> None:
        self.busy.set()
        self.opened.wait(30)

    def run(self, client: str) -> asyncio.Task[None]:
        return asyncio.create_task(
            self.work.run(lambda: self.ran.append(client), client=client), name=client
        )

    async def closed(self) -> asyncio.Task[None]:
        holder = asyncio.create_task(self.work.run(self.hold, client="holder"))
        await asyncio.to_thread(self.busy.wait, 30)
        return holder


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate(queue_size=4)
    holder = await gate.closed()
    yield gate
    gate.opened.set()
    await holder


async def test_clients_take_turns(gate: Gate) -> None:
    tasks = [gate.run(client) for client in ("junk", "junk", "junk", "honest")]
    await asyncio.sleep(0)
    gate.opened.set()
    await asyncio.gather(*tasks)
    assert gate.ran == ["junk", "honest", "junk", "junk"]


async def test_a_full_queue_refuses_the_client_with_the_longest_line(gate: Gate) -> None:
    junk = [gate.run("junk") for _ in range(4)]
    await asyncio.sleep(0)
    honest = [gate.run("honest"), gate.run("another")]
    await asyncio.sleep(0)
    gate.opened.set()
    outcomes = await asyncio.gather(*junk, *honest, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [
        type(None), type(None), Overloaded, Overloaded, type(None), type(None),
    ]  # fmt: skip


async def test_among_equals_the_newcomer_is_refused(gate: Gate) -> None:
    tasks = [gate.run(client) for client in "abcde"]
    await asyncio.sleep(0)
    gate.opened.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(outcome, Overloaded) for outcome in outcomes] == [False] * 4 + [True]
    assert gate.ran == ["a", "b", "c", "d"]


async def test_a_cancelled_caller_is_not_computed_for(gate: Gate) -> None:
    cancelled, kept = gate.run("a"), gate.run("b")
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    gate.opened.set()
    await kept
    assert gate.ran == ["b"]
    assert cancelled.cancelled()


async def test_a_cancelled_call_can_be_pushed_out(gate: Gate) -> None:
    tasks = [gate.run("a") for _ in range(4)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    await asyncio.sleep(0)
    honest = gate.run("b")
    await asyncio.sleep(0)
    gate.opened.set()
    await honest
    await asyncio.gather(*tasks, return_exceptions=True)
    assert gate.ran == ["a", "b", "a", "a"]


async def test_every_caller_gets_an_end_and_nothing_stays_in_the_queue() -> None:
    work = CostlyWork(threads=2, queue_size=16)
    tasks = [asyncio.create_task(work.run(partial(abs, n), client=f"{n % 7}")) for n in range(400)]
    await asyncio.sleep(0)
    for task in tasks[::5]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for n, outcome in enumerate(outcomes):
        assert outcome == n or isinstance(outcome, Overloaded | asyncio.CancelledError)
    assert any(isinstance(outcome, int) for outcome in outcomes)
    assert await work.run(lambda: "empty", client="") == "empty"
    assert (work._waiting, len(work._lines)) == (0, 0)


async def test_results_and_exceptions_come_back_from_the_shared_threads() -> None:
    assert await run_costly(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await run_costly(divmod, 1, 0, client="192.0.2.7")
