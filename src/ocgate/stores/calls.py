"""What every call to a backend has in common: a checked name, a time-out, one kind of error."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from ocgate.core.errors import StoreError

LONGEST_NAME = 1024
"""Bytes. In base32 behind a table name it still fits NATS' control line of 4096 bytes."""


def encoded(name: str) -> bytes:
    """Return the name in UTF-8.

    Raises ValueError for a name that no backend can keep: empty, longer than `LONGEST_NAME`,
    or with a lone surrogate in it (UnicodeEncodeError is a ValueError).
    """
    data = name.encode()
    if not 0 < len(data) <= LONGEST_NAME:
        raise ValueError(f"a name has 1 to {LONGEST_NAME} bytes, this one {len(data)}")
    return data


@asynccontextmanager
async def answering(
    backend: str,
    seconds: float,
    *failures: type[Exception],
    reason: Callable[[Exception], str] = str,
) -> AsyncGenerator[None]:
    """Bound what is awaited inside and turn the backend's `failures` into `StoreError`.

    What `reason` makes of the foreign exception goes to the log (`detail`), never to a client.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except Exception as exc:
        if not isinstance(exc, (TimeoutError, OSError, *failures)):
            raise
        why = reason(exc) or type(exc).__name__
        raise StoreError("The store did not answer.", detail=f"{backend}: {why}") from exc
