"""Stopping, killing, restarting; two gates that share a store; a store that goes away."""

import contextlib
import json
import socket
import subprocess
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.asking import Answer, ask
from tests.support.backends import Backend
from tests.support.gate import ALAN, LYNN, MARY, USERS, Gate, running_gate
from tests.support.nats_server import NatsServer, nats_server
from tests.support.presign import presigned, target_of
from tests.support.processes import listening, public_folder, wait_until

PUBLIC = "https://files.example.org"
"""What clients call both gates, as behind a load balancer."""

KEY = "/ocs/v2.php/cloud/user/signing-key?format=json"


@pytest.fixture
def stored(apache: Backend) -> bytes:
    content = b"stored before anything was stopped"
    (apache.files / "file.txt").write_bytes(content)
    return content


def test_keys_and_urls_outlive_a_kill(apache: Backend, stored: bytes) -> None:
    with running_gate(apache.origin) as gate:
        keys = {name: gate.signing_key((name, USERS[name])) for name in USERS}
        url = gate.presigned("GET", "/file.txt", key=keys["alan"])
        gate.kill()
        assert not listening(gate.port)
        gate.start()
        assert gate.ask("GET", target_of(url), auth=None).body == stored
        assert {name: gate.signing_key((name, USERS[name])) for name in USERS} == keys
        gate.stop()
        gate.start()
        assert gate.ask("GET", target_of(url), auth=None).body == stored


def test_a_kill_in_the_middle_of_first_requests_for_keys_loses_none_that_was_told(
    apache: Backend,
) -> None:
    with running_gate(apache.origin) as gate:
        told: list[str] = []

        def fetch() -> None:
            with contextlib.suppress(OSError, AssertionError, json.JSONDecodeError):
                told.append(gate.signing_key())

        threads = [threading.Thread(target=fetch) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: told, what="the first key is told")
        gate.kill()
        for thread in threads:
            thread.join()
        gate.start()
        assert set(told) == {gate.signing_key()}


def test_a_download_that_runs_at_sigterm_is_finished(apache: Backend) -> None:
    content = bytes(range(256)) * 4096 * 64
    (apache.files / "large.bin").write_bytes(content)
    with running_gate(apache.origin) as gate:
        target = target_of(gate.presigned("GET", "/large.bin"))
        with socket.create_connection(("127.0.0.1", gate.port), timeout=30) as connection:
            connection.sendall(
                f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{gate.port}\r\n\r\n".encode()
            )
            received = bytearray(connection.recv(65536))
            assert received.startswith(b"HTTP/1.1 200 ")
            stopping = threading.Thread(target=gate.stop)
            stopping.start()
            wait_until(lambda: not listening(gate.port), what="it accepts nobody any more")
            assert stopping.is_alive()
            while data := connection.recv(1 << 20):
                received += data
        stopping.join(30)
        assert not gate.started
    assert bytes(received).partition(b"\r\n\r\n")[2] == content


def test_an_upload_that_runs_at_sigterm_is_finished(apache: Backend) -> None:
    with running_gate(apache.origin) as gate:
        target = target_of(gate.presigned("PUT", "/uploaded.bin"))
        with socket.create_connection(("127.0.0.1", gate.port), timeout=30) as connection:
            head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1:{gate.port}\r\n"
            connection.sendall(f"{head}Content-Length: 1000\r\n\r\n".encode() + b"a" * 500)
            uploaded = apache.files / "uploaded.bin"
            stopping = threading.Thread(target=gate.stop)
            stopping.start()
            wait_until(lambda: not listening(gate.port), what="it accepts nobody any more")
            connection.sendall(b"b" * 500)
            assert connection.recv(65536).startswith(b"HTTP/1.1 201 ")
        stopping.join(30)
        assert not gate.started
    assert uploaded.read_bytes() == b"a" * 500 + b"b" * 500


class Two:
    """Two gates behind one public name, with one store."""

    def __init__(self, one: Gate, other: Gate, nats: NatsServer | None) -> None:
        self.one = one
        self.other = other
        self.nats = nats


@pytest.fixture(scope="module", params=["sqlite", "nats-js-kv"])
def two(request: pytest.FixtureRequest, apache: Backend) -> Generator[Two]:
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(public_folder())
        env = {"OC_URL": PUBLIC, "OCGATE_STORE": request.param}
        nats = None
        if request.param == "nats-js-kv":
            nats = stack.enter_context(nats_server())
            env["OCGATE_STORE_NODES"] = nats.node
        one, other = (
            stack.enter_context(running_gate(apache.origin, env=env, folder=folder))
            for _ in range(2)
        )
        yield Two(one, other, nats)


def fetch(gate: Gate, url: str) -> Answer:
    """Use a URL at that gate, as the load balancer hands it over."""
    return ask(gate.origin, "GET", target_of(url), headers={"Host": "files.example.org"})


def signed(key: str, user: str = "alan", *, expires: int = 1200) -> str:
    return presigned(f"{PUBLIC}/file.txt", user=user, key=key, expires=expires)


def ready(gate: Gate) -> bool:
    """Say what `/readyz` says: 200 for yes, 500 for no, as in the family."""
    status = ask(gate.debug_origin, "GET", "/readyz").status
    assert status in (200, 500)
    return status == 200


def wait_until_ready(gate: Gate) -> None:
    wait_until(lambda: ready(gate), what="the gate is ready")


def test_a_key_of_one_gate_is_good_at_the_other(two: Two, stored: bytes) -> None:
    key = two.one.signing_key()
    answer = fetch(two.other, signed(key))
    assert (answer.status, answer.body) == (200, stored)
    assert two.other.signing_key() == key
    assert fetch(two.other, signed(key[::-1])).status == 401


def test_first_requests_at_both_gates_make_one_key(two: Two) -> None:
    """lynn asks for a key nowhere else."""
    gates = [two.one, two.other] * 8
    with ThreadPoolExecutor(len(gates)) as pool:
        told = {future.result() for future in [pool.submit(g.signing_key, LYNN) for g in gates]}
    assert len(told) == 1


def test_after_a_rotation_old_urls_stay_good_for_the_grace_time(two: Two, stored: bytes) -> None:
    old = two.one.signing_key()
    assert fetch(two.one, signed(old)).body == stored
    rotated = subprocess.run(
        two.one.command("signing-key", "rotate", "--user", "alan"),
        env=two.one.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert rotated.returncode == 0, rotated.stderr
    new = two.other.signing_key()
    assert new != old
    for gate in (two.one, two.other):
        assert gate.signing_key() == new
        assert fetch(gate, signed(new)).body == stored
        assert fetch(gate, signed(old, expires=60)).body == stored
        assert fetch(gate, signed(old[::-1])).status == 401


@pytest.mark.parametrize("two", ["nats-js-kv"], indirect=True)
def test_a_store_that_is_down_is_a_503_and_heals_by_itself(two: Two, stored: bytes) -> None:
    assert two.nats is not None
    key, other_key = two.one.signing_key(), two.one.signing_key(MARY)
    url = signed(key)
    assert fetch(two.one, url).body == stored
    two.nats.stop()

    unknown_here = fetch(two.other, signed(other_key, "mary"))
    assert unknown_here.status == 503, unknown_here
    assert unknown_here.header("Retry-After")
    assert two.other.ask("GET", KEY).status == 503
    assert fetch(two.one, url).status in (200, 503)  # 200 while it is remembered, never 401
    assert fetch(two.one, signed("0" * 128, "mary")).status == 503
    assert two.one.ask("GET", "/file.txt", auth=ALAN).body == stored  # no key, no store
    for gate in (two.one, two.other):
        assert not ready(gate)
        assert gate.alive()

    two.nats.start()
    for gate in (two.one, two.other):
        wait_until_ready(gate)
        assert fetch(gate, signed(other_key, "mary")).body == stored
        assert gate.signing_key() == key


def test_a_gate_starts_without_its_store_and_heals_by_itself(
    apache: Backend, stored: bytes
) -> None:
    with nats_server() as nats:
        nats.stop()
        env = {"OCGATE_STORE": "nats-js-kv", "OCGATE_STORE_NODES": nats.node}
        with running_gate(apache.origin, env=env) as gate:
            assert not ready(gate)
            assert gate.ask("GET", KEY).status == 503
            assert gate.ask("GET", "/file.txt").body == stored
            nats.start()
            wait_until_ready(gate)
            assert gate.ask_presigned("GET", "/file.txt").body == stored
