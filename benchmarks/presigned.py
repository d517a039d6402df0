"""A presigned URL asked for again, against URLs that are verified for the first time."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from tests.support.presign import presigned, target_of

from benchmarks.load import AUTHORIZATION, requests_per_second
from benchmarks.peers import USER, Peer
from benchmarks.rounds import verdict

FRESH = 120
CONNECTIONS = 4


def measure(peers: dict[str, Peer], *, rounds: int, seconds: int) -> None:
    """Print both rates and their ratio."""
    peer = peers["ocgate"]
    key = signing_key(peer)
    first: list[float] = []
    again: list[float] = []
    for number in range(min(rounds, 5)):
        urls = [
            target_of(
                presigned(f"{peer.origin}/1k?n={number}-{i}", user=USER, key=key, method="GET")
            )
            for i in range(FRESH)
        ]
        first.append(first_time(peer, urls))
        again.append(requests_per_second(peer, urls[0], connections=16, seconds=seconds))
    print("### presigned GET of 1 KiB")
    print("| | median requests/s |\n| --- | ---: |")
    print(f"| first time, {CONNECTIONS} connections | {median(first):,.0f} |")
    print(f"| asked again, 16 connections | {median(again):,.0f} |")
    ratios = [b / a for a, b in zip(first, again, strict=True)]
    verdict("asked again / first time", median(ratios), 50)


def signing_key(peer: Peer) -> str:
    """Fetch the user's signing key as a client does."""
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=30)
    target = "/ocs/v2.php/cloud/user/signing-key?format=json"
    connection.request("GET", target, headers={"Authorization": AUTHORIZATION})
    return str(json.load(connection.getresponse())["ocs"]["data"]["signing-key"])


def first_time(peer: Peer, targets: list[str]) -> float:
    """Ask for each URL once over a few connections; returns requests a second."""

    def ask(mine: list[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=30)
        for target in mine:
            connection.request("GET", target)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}")

    started = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(ask, targets[i::CONNECTIONS]) for i in range(CONNECTIONS)]:
            done.result()
    return len(targets) / (time.perf_counter() - started)
