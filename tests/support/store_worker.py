"""Another process that uses a store: `python -m tests.support.store_worker TASK SETTINGS …`."""

import asyncio
import json
import subprocess
import sys
from dataclasses import asdict
from itertools import count

from ocgate.stores.base import Store
from ocgate.stores.open import open_store
from ocgate.stores.settings import StoreSettings


async def race(store: Store, *, name: str, mark: str) -> None:
    """Say that it is ready, wait for a line, create the entry 25 times at once; print who won."""
    await store.check()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    values = [f"{mark}-{number}" for number in range(25)]
    won = await asyncio.gather(*(store.create(name, value.encode()) for value in values))
    print(json.dumps([value for value, first in zip(values, won, strict=True) if first]))


async def write(store: Store) -> None:
    """Write one entry after the other and print the name of each that was acknowledged."""
    for number in count():
        await store.put(f"entry-{number}", f"value-{number}".encode())
        print(f"entry-{number}", flush=True)


async def main() -> None:
    task, settings, place, options = sys.argv[1], *map(json.loads, sys.argv[2:])
    for field in ("nodes", "registry"):
        settings[field] = tuple(settings[field])
    store = open_store(StoreSettings(**settings), **place)
    try:
        if task == "race":
            await race(store, **options)
        else:
            await write(store)
    finally:
        await store.aclose()


def start_worker(
    task: str, settings: StoreSettings, *, database: str, table: str, **options: object
) -> subprocess.Popen[str]:
    """Start the process; what it prints is in its `stdout`."""
    place = {"database": database, "table": table}
    arguments = [json.dumps(argument) for argument in (asdict(settings), place, options)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.store_worker", task, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


if __name__ == "__main__":
    asyncio.run(main())
