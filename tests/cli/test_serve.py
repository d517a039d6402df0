import argparse
import gc
import logging
import resource
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocgate.app import create_gate
from ocgate.cli.serve import calm_collector, debug_server, public_server, raise_file_limit, run
from ocgate.config.load import load
from ocgate.core.errors import ConfigError
from tests.support.asking import ask
from tests.support.gate import Gate, running_gate
from tests.support.processes import wait_until
from tests.support.recorder import Recorder


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


def refusal(gate: Gate, *words: str) -> str:
    """Start another gate that has to give up; returns what it says."""
    ended = subprocess.run(
        gate.command("serve", *words),
        env=gate.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_it_says_where_it_listens_and_what_is_odd_at_any_log_level(recorder: Recorder) -> None:
    odd = {"PROXY_ENABLE_BASIC_AUHT": "true", "OC_LOG_LEVEL": "error"}
    with running_gate(recorder.origin, env=odd) as gate:
        assert gate.ask("GET", "/file").body == b"recorded"
        printed = gate.printed()
    assert f"listening on {gate.origin}, in front of {recorder.origin}" in printed
    assert "PROXY_ENABLE_BASIC_AUTH" in printed


def test_the_debug_pages_are_on_the_debug_address_only(recorder: Recorder) -> None:
    with running_gate(recorder.origin, env={"PROXY_DEBUG_TOKEN": "swordfish"}) as gate:
        for page in ("/healthz", "/readyz", "/config"):
            assert ask(gate.debug_origin, "GET", page).status == 200
            assert gate.ask("GET", page).body == b"recorded"
        assert ask(gate.debug_origin, "GET", "/metrics").status == 401
        token = {"Authorization": "Bearer swordfish"}
        metrics = ask(gate.debug_origin, "GET", "/metrics", headers=token)
        assert b"opencloud_proxy_requests_total" in metrics.body
        config = ask(gate.debug_origin, "GET", "/config")
        assert b"swordfish" not in config.body


def test_an_address_that_is_taken_is_a_sentence_and_exit_code_1(recorder: Recorder) -> None:
    with running_gate(recorder.origin) as gate:
        said = refusal(gate)
        assert "cannot listen on 127.0.0.1" in said
        assert "PROXY_HTTP_ADDR" in said or "PROXY_DEBUG_ADDR" in said


def test_a_debug_address_that_is_taken_stops_the_start_too(recorder: Recorder) -> None:
    with running_gate(recorder.origin) as gate, socket.create_server(("127.0.0.1", 0)) as free:
        gate.env["PROXY_HTTP_ADDR"] = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        assert "PROXY_DEBUG_ADDR: cannot listen on 127.0.0.1" in refusal(gate)


def test_a_service_that_is_not_there_is_a_sentence_and_exit_code_1(recorder: Recorder) -> None:
    with running_gate(recorder.origin) as gate:
        assert "no service is left to run" in refusal(gate, "--services", "nonsense")


def test_tls_makes_a_certificate_that_signs_itself(recorder: Recorder, tmp_path: Path) -> None:
    with running_gate(recorder.origin, folder=tmp_path, env={"PROXY_TLS": "true"}) as gate:
        context = ssl.create_default_context(cafile=tmp_path / "proxy" / "server.crt")
        with (
            socket.create_connection(("127.0.0.1", gate.port), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while data := secure.recv(65536):
                answer += data
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"strict-transport-security: max-age=" in answer


def test_it_listens_on_a_unix_socket(recorder: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "gate.sock"
    env = {
        "PROXY_HTTP_ADDR": f"unix:{path}",
        "OC_URL": "http://gate",
        "OCGATE_TRUST_UNIX_SOCKET": "true",
        "OC_LOG_LEVEL": "info",
    }
    with (
        running_gate(recorder.origin, env=env) as gate,
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.settimeout(20)
        deadline = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        client.connect(str(path))
        forwarded = b"X-Forwarded-For: 192.0.2.7\r\n"
        request = b"GET / HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n" + forwarded
        client.sendall(request + b"\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")
        wait_until(lambda: '"remote-addr":"192.0.2.7"' in gate.printed(), what="the access log")


@pytest.mark.usefixtures("environ")
def test_a_users_file_with_a_mistake_stops_the_start(environ: dict[str, str]) -> None:
    Path(environ["OCGATE_USERS_FILE"]).write_text("users:\n  - nonsense\n")
    with pytest.raises(ConfigError, match=r"users\.yaml:2"):
        run(argparse.Namespace(services=None))


async def test_settings_become_limits(environ: dict[str, str]) -> None:
    environ |= {"OCGATE_HEADER_TIMEOUT": "3s", "OCGATE_GRACE": "4s"}
    loaded = load(environ)
    gate = create_gate(loaded.settings, environ=environ)
    server = public_server(gate, loaded.settings)
    assert server.limits.head_seconds == 3
    assert server.config.timeout_graceful_shutdown == 4
    assert debug_server(gate, loaded).port == 9205
    await gate.aclose()


def test_the_collector_is_calmed_and_not_switched_off() -> None:
    before = gc.get_threshold()
    try:
        calm_collector()
        assert gc.get_threshold()[0] > before[0]
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_every_file_descriptor_that_is_to_be_had_is_taken() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        logging.getLogger("ocgate.start").setLevel(logging.NOTSET)
