"""Load: wrk for many small requests, raw sockets for long bodies."""

import base64
import re
import socket
import subprocess
import time

from tests.support.programs import find

from benchmarks.peers import PASSWORD, USER, Peer
from benchmarks.pinning import pinned

AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
CHUNK = 1 << 18


def requests_per_second(peer: Peer, target: str, *, connections: int, seconds: int) -> float:
    """Run wrk; raises RuntimeError if any answer was not a 2xx or a connection broke."""
    program = find("wrk")
    assert program is not None
    argv = [program, "-t1", f"-c{connections}", f"-d{seconds}s"]
    argv += ["-H", f"Authorization: {AUTHORIZATION}", "-H", "Accept: */*"]
    argv += ["-H", "User-Agent: bench", "-H", "Accept-Encoding: identity"]
    output = subprocess.run(
        pinned([*argv, peer.origin + target], tested=False),
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
    ).stdout
    if "Non-2xx" in output:
        raise RuntimeError(f"{peer.name}: {output}")
    match = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert match is not None, output
    return float(match[1])


def download(peer: Peer, target: str) -> float:
    """Read one body whole; returns MB/s."""
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", peer.port), timeout=60) as connection:
        connection.sendall(_head(f"GET {target} HTTP/1.1", peer))
        length, size = _answer(connection, 200)
        buffer = memoryview(bytearray(CHUNK))
        while size < length:
            got = connection.recv_into(buffer)
            if not got:
                raise RuntimeError(f"{peer.name}: cut off after {size} of {length}")
            size += got
    return length / (time.perf_counter() - started) / 1e6


def upload(peer: Peer, target: str, size: int) -> float:
    """Write one body of `size` bytes; returns MB/s."""
    chunk = b"u" * CHUNK
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", peer.port), timeout=60) as connection:
        connection.sendall(_head(f"PUT {target} HTTP/1.1", peer, f"Content-Length: {size}"))
        for _ in range(size // CHUNK):
            connection.sendall(chunk)
        _answer(connection, 201, 204)
    return size / (time.perf_counter() - started) / 1e6


def slow_reader(port: int, target: str) -> socket.socket:
    """Ask for a body and leave it unread, with a small receive buffer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", port))
    lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Authorization: {AUTHORIZATION}"]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return connection


def _head(first: str, peer: Peer, *more: str) -> bytes:
    lines = [first, f"Host: 127.0.0.1:{peer.port}", f"Authorization: {AUTHORIZATION}", *more]
    return ("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode()


def _answer(connection: socket.socket, *wanted: int) -> tuple[int, int]:
    """Read a response head; returns the body's length and how much of it came along."""
    data = b""
    while b"\r\n\r\n" not in data:
        got = connection.recv(65536)
        if not got:
            raise RuntimeError(f"no answer: {data!r}")
        data += got
    head, _, rest = data.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if status not in wanted:
        raise RuntimeError(f"status {status}: {head!r}")
    match = re.search(rb"(?i)content-length: (\d+)", head)
    return (int(match[1]) if match else 0), len(rest)
