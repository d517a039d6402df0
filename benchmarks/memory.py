"""50 slow clients each read 100 MiB: what a stream holds in memory."""

import contextlib
import selectors
import socket
import time
from pathlib import Path

from benchmarks.load import slow_reader
from benchmarks.peers import Peer
from benchmarks.rounds import verdict

CLIENTS = 50
SIZE = 100 << 20
RATE = 4 << 20
"""Bytes a second that one client reads."""
TICK = 0.05


def measure(peers: dict[str, Peer], *, rounds: int, seconds: int) -> None:
    """Print how far the resident memory rose above what it was before."""
    del rounds, seconds
    print(f"### {CLIENTS} slow clients, 100 MiB each")
    print("| server | before MiB | highest MiB | growth MiB | bytes read |")
    print("| --- | ---: | ---: | ---: | ---: |")
    growth: dict[str, float] = {}
    for name in ("ocgate", "caddy reverse_proxy", "nginx proxy"):
        if name not in peers:
            continue
        peer = peers[name]
        before = resident(peer.pid)
        highest, read = drain_slowly(peer)
        growth[name] = (highest - before) / 2**20
        print(
            f"| {name} | {before / 2**20:.0f} | {highest / 2**20:.0f} "
            f"| {growth[name]:.0f} | {read:,} |"
        )
    verdict("memory growth of ocgate in MiB", growth["ocgate"], 64, at_most=True)


def drain_slowly(peer: Peer) -> tuple[int, int]:
    """Read all bodies at a bounded rate; returns the highest memory seen and the bytes read."""
    highest = total = 0
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        left: dict[socket.socket, int] = {}
        for _ in range(CLIENTS):
            reader = stack.enter_context(slow_reader(peer.port, "/100m"))
            left[reader] = SIZE
            selector.register(reader, selectors.EVENT_READ)
        while left:
            tick = time.monotonic()
            allowed = dict.fromkeys(left, int(RATE * TICK))
            for key, _ in selector.select(TICK):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                while allowed.get(connection, 0) > 0:
                    connection.settimeout(0)
                    try:
                        got = len(connection.recv(min(65536, allowed[connection])))
                    except BlockingIOError:
                        break
                    if not got:
                        raise RuntimeError(f"{peer.name} cut off a slow client")
                    allowed[connection] -= got
                    left[connection] -= got
                    total += got
                    if left[connection] <= 0:
                        selector.unregister(connection)
                        del left[connection]
                        break
            highest = max(highest, resident(peer.pid))
            time.sleep(max(0.0, TICK - (time.monotonic() - tick)))
    return highest, total


def resident(pid: int) -> int:
    """Return the resident memory of a process and its children in bytes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 + sum(resident(int(child)) for child in children)
