"""Measure ocgate beside its peers: `python -m benchmarks [--rounds N] [--only TABLE ...]`.

All servers run at once and idle; each round visits them in turn (every other round backwards),
so that the machine's drift hits all alike. Figures are medians over the rounds; ratios are
medians of the ratios within a round.
"""

import argparse
import contextlib
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.support.processes import reserved_port
from tests.support.programs import find

from benchmarks import bulk, memory, presigned, small
from benchmarks.peers import PEERS, Peer, file_server

TABLES = {
    "small": small.measure,
    "bulk": bulk.measure,
    "memory": memory.measure,
    "presigned": presigned.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="of load per peer and round")
    parser.add_argument("--only", choices=TABLES, nargs="+", default=list(TABLES))
    args = parser.parse_args()
    for needed in ("nginx", "wrk"):
        if find(needed) is None:
            print(f"{needed} is not installed: the backend or the load is missing")
            return 1
    print(f"{platform.python_implementation()} {platform.python_version()}", end=", ")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {args.rounds} rounds")
    shm = Path("/dev/shm")
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="ocgate-bench-", dir=shm if shm.is_dir() else None)
        )
        folder = Path(scratch)
        folder.chmod(0o755)
        backend = stack.enter_context(file_server(folder))
        peers: dict[str, Peer] = {}
        for name, (program, start) in PEERS.items():
            if program and find(program) is None:
                print(f"left out: {name} ({program} is not installed)")
                continue
            port = stack.enter_context(reserved_port())
            peers[name] = stack.enter_context(start(folder, port, backend))
        for table in args.only:
            print(flush=True)
            TABLES[table](peers, rounds=args.rounds, seconds=args.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
