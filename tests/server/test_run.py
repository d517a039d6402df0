"""The process: where it listens, how it stops."""

import contextlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from ocgate.core.errors import ConfigError
from ocgate.server.limits import Limits
from ocgate.server.run import GateServer, run
from ocgate.server.tls import TLSSettings, ensure_certificate
from tests.server.served import PARTS
from tests.support.door import HEALTH, RecordingApp, door, read_all, read_response, status_of

GET = b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n"
TRANSFER_BYTES = PARTS * 100_000


class Served:
    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def served(grace: float = 10) -> Generator[Served]:
    command = [sys.executable, "-m", "tests.server.served", str(grace)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http://127.0.0.1:")
            yield Served(process, int(url.rpartition(":")[2]))
        finally:
            process.kill()


def test_a_stop_under_load_loses_nothing() -> None:
    transfers: list[int] = []
    looped: list[int] = []
    begun = threading.Barrier(24 + 1)

    def transfer(server: Served) -> None:
        with server.connect() as client:
            client.sendall(GET % b"/transfer")
            first = client.recv(1)
            begun.wait(20)
            transfers.append(len((first + read_response(client)).partition(b"\r\n\r\n")[2]))

    def loop(server: Served) -> None:
        with server.connect() as client:
            answer = b""
            first = True
            while b"connection: close" not in answer:
                client.sendall(GET % b"/")
                answer = read_response(client)
                looped.append(status_of(answer))
                if first:
                    begun.wait(20)
                    first = False

    with served() as server:
        threads = [threading.Thread(target=transfer, args=(server,)) for _ in range(20)]
        threads += [threading.Thread(target=loop, args=(server,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait(20)
        server.terminate()
        time.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            server.connect()
        for thread in threads:
            thread.join(20)
        assert server.process.wait(10) == 0
    assert transfers == [TRANSFER_BYTES] * 20
    assert len(looped) >= 8
    assert set(looped) == {200}


def test_a_request_that_does_not_end_is_cut_after_the_grace_time() -> None:
    with served(grace=0.5) as server, server.connect() as client:
        client.sendall(GET % b"/never")
        time.sleep(0.1)
        began = time.monotonic()
        server.terminate()
        assert server.process.wait(10) == 0
        assert 0.4 < time.monotonic() - began < 5
        assert read_all(client) == b""


def test_an_idle_server_stops_at_once() -> None:
    with served() as server, server.connect() as client:
        client.sendall(GET % b"/")
        assert status_of(read_response(client)) == 200
        server.terminate()
        assert server.process.wait(5) == 0
        assert read_all(client) == b""


def test_a_unix_socket_can_be_served(tmp_path: Path) -> None:
    app = RecordingApp()
    path = tmp_path / "gate.sock"
    with door(app, uds=path) as server, socket.socket(socket.AF_UNIX) as client:
        assert server.url == f"http+unix://{path}"
        client.connect(str(path))
        client.sendall(b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert status_of(read_all(client)) == 200
    assert app.seen[0].scope["client"] is None


def test_tls_is_spoken_with_a_certificate_of_our_own(tmp_path: Path) -> None:
    settings = TLSSettings(tmp_path / "cert.pem", tmp_path / "key.pem")
    assert ensure_certificate(settings, names=["localhost", "127.0.0.1"])
    app = RecordingApp()
    context = ssl.create_default_context(cafile=settings.cert)
    with door(app, tls=settings, limits=Limits(head_seconds=1)) as server:
        assert re.fullmatch(r"https://127\.0\.0\.1:\d+", server.url)
        with context.wrap_socket(server.connect(), server_hostname="127.0.0.1") as client:
            client.sendall(b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n")
            client.sendall(b"x" * 300_000)
            assert status_of(read_response(client)) == 200
            client.sendall(HEALTH)
            assert status_of(read_all(client)) == 200
        with context.wrap_socket(server.connect(), server_hostname="127.0.0.1") as client:
            client.sendall(b"nonsense\r\n\r\n")
            assert status_of(read_all(client)) == 400
        # no handshake: cut like a head that does not come
        assert server.exchange(b"") == b""
    assert app.seen[0].scope["scheme"] == "https"
    assert app.seen[0].body == b"x" * 300_000


def test_tls_1_1_is_refused(tmp_path: Path) -> None:
    settings = TLSSettings(tmp_path / "cert.pem", tmp_path / "key.pem")
    ensure_certificate(settings, names=["127.0.0.1"])
    context = ssl.create_default_context(cafile=settings.cert)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with door(RecordingApp(), tls=settings) as server, pytest.raises(ssl.SSLError):
        context.wrap_socket(server.connect(), server_hostname="127.0.0.1")


def test_an_address_in_use_is_a_configuration_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        addr = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=addr):
            run(RecordingApp(), addr=addr)


@pytest.mark.parametrize("addr", ["", "9200", "host", "host:70000", "host:x", "::1:9200"])
def test_an_address_that_is_none_is_a_configuration_error(addr: str) -> None:
    with pytest.raises(ConfigError):
        GateServer(RecordingApp(), addr=addr)


def test_a_certificate_that_is_none_is_a_configuration_error(tmp_path: Path) -> None:
    missing = TLSSettings(tmp_path / "cert.pem", tmp_path / "key.pem")
    with pytest.raises(ConfigError):
        GateServer(RecordingApp(), tls=missing)


def test_a_negative_grace_time_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError):
        GateServer(RecordingApp(), grace=-1)
