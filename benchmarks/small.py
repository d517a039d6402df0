"""1 KiB GETs: what a request costs."""

from functools import partial

from benchmarks.load import requests_per_second
from benchmarks.peers import Peer
from benchmarks.rounds import interleaved, ratio, table

FAST = ["ocgate", "caddy reverse_proxy", "nginx proxy", "caddy forward_auth", "fastapi-proxy-lib"]


def measure(peers: dict[str, Peer], *, rounds: int, seconds: int) -> None:
    """Print the tables for 64, 16 and 1 connections; the targets are those for 64."""
    for connections in (64, 16, 1):
        run = partial(requests_per_second, target="/1k", connections=connections, seconds=seconds)
        for peer in peers.values():
            requests_per_second(peer, "/1k", connections=connections, seconds=1)
        figures = interleaved(peers, FAST, rounds if connections == 64 else 3, run)
        table(f"1 KiB GET, {connections} connections", "requests/s", figures)
        if connections == 64:
            ratio(figures, "ocgate", "caddy reverse_proxy", 1.0)
            ratio(figures, "ocgate", "caddy forward_auth", 3.0)
            ratio(figures, "ocgate", "fastapi-proxy-lib", 25.0)
        print()
