"""100 MiB down and up: what a byte costs."""

from benchmarks.load import download, upload
from benchmarks.peers import Peer
from benchmarks.rounds import interleaved, ratio, table

NAMES = ["ocgate", "caddy reverse_proxy", "nginx proxy", "fastapi-proxy-lib"]
SIZE = 100 << 20


def measure(peers: dict[str, Peer], *, rounds: int, seconds: int) -> None:
    """Print both tables."""
    del seconds
    down = interleaved(peers, NAMES, rounds, lambda peer: download(peer, "/100m"))
    table("100 MiB download", "MB/s", down)
    ratio(down, "ocgate", "caddy reverse_proxy", 0.9)
    ratio(down, "ocgate", "nginx proxy", 1.0)
    print()
    up = interleaved(peers, NAMES, rounds, lambda peer: upload(peer, f"/up-{peer.port}", SIZE))
    table("100 MiB upload", "MB/s", up)
    ratio(up, "ocgate", "caddy reverse_proxy", 0.7)
