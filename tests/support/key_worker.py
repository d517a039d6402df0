"""Another replica that is asked for a signing key: `python -m tests.support.key_worker …`."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import asdict
from datetime import timedelta

from ocgate.stores.open import open_store
from ocgate.stores.settings import StoreSettings
from ocgate.stores.signing_keys import SigningKeys


@contextlib.asynccontextmanager
async def opened_keys(settings: StoreSettings, table: str) -> AsyncGenerator[SigningKeys]:
    """Open the keys in that table, with connections of their own."""
    current = open_store(settings, database="proxy", table=table)
    previous = open_store(settings, database="proxy", table=f"{table}-old")
    try:
        yield SigningKeys(current, previous, ttl=timedelta(hours=12), grace=timedelta(minutes=10))
    finally:
        await current.aclose()
        await previous.aclose()


async def main() -> None:
    """Ask 25 times at once, at a moment that others know; print the different keys."""
    settings, table, user_id, at = map(json.loads, sys.argv[1:])
    for field in ("nodes", "registry"):
        settings[field] = tuple(settings[field])
    async with opened_keys(StoreSettings(**settings), table) as keys:
        await keys.find(user_id)
        await asyncio.sleep(max(0.0, at - time.time()))
        found = await asyncio.gather(*(keys.find_or_create(user_id) for _ in range(25)))
    print(json.dumps(sorted({key.decode() for key in found})))


def start_replica(
    settings: StoreSettings, table: str, user_id: str, at: float
) -> subprocess.Popen[str]:
    """Start the process; the keys it got are in its `stdout`."""
    arguments = [json.dumps(part) for part in (asdict(settings), table, user_id, at)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.key_worker", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )


if __name__ == "__main__":
    asyncio.run(main())
