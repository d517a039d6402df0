import asyncio

import pytest

from ocgate.core.errors import StoreError
from ocgate.stores.calls import LONGEST_NAME, answering, encoded


def test_a_name_has_at_least_one_byte_and_at_most_the_longest() -> None:
    assert encoded("ä") == b"\xc3\xa4"
    assert len(encoded("x" * LONGEST_NAME)) == LONGEST_NAME
    for name in ("", "x" * (LONGEST_NAME + 1), "ä" * (LONGEST_NAME // 2 + 1), "\ud800"):
        with pytest.raises(ValueError, match=r"name|surrogates"):
            encoded(name)


async def test_a_slow_backend_is_a_store_error() -> None:
    async with answering("b", 1):
        pass
    with pytest.raises(StoreError) as caught:
        async with answering("b", 0.01):
            await asyncio.sleep(10)
    assert caught.value.detail == "b: TimeoutError"


@pytest.mark.parametrize("error", [KeyError("k"), ConnectionRefusedError("refused")])
async def test_the_failures_of_the_backend_are_store_errors(error: Exception) -> None:
    with pytest.raises(StoreError) as caught:
        async with answering("b", 1, KeyError):
            raise error
    assert str(error) in caught.value.detail
    assert str(error) not in str(caught.value)


async def test_other_exceptions_pass() -> None:
    with pytest.raises(ZeroDivisionError):
        async with answering("b", 1, KeyError):
            raise ZeroDivisionError
    with pytest.raises(StoreError, match="mine"):
        async with answering("b", 1, KeyError):
            raise StoreError("mine")


async def test_a_cancelled_caller_is_cancelled() -> None:
    async def call() -> None:
        async with answering("b", 10):
            await asyncio.sleep(10)

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
