import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples.running import FOLDER
from tests.support.processes import child, reserved_port
from tests.support.programs import program


def test_every_line_that_the_demo_prints_works(tmp_path: Path) -> None:
    program("curl")
    output = tmp_path / "output"
    with reserved_port() as port, reserved_port() as debug_port:
        env = {
            **os.environ,
            "PROXY_HTTP_ADDR": f"127.0.0.1:{port}",
            "PROXY_DEBUG_ADDR": f"127.0.0.1:{debug_port}",
        }

        def ready() -> bool:
            return "Ctrl-C ends both servers." in output.read_text()

        argv = [sys.executable, str(FOLDER / "demo.py")]
        with child(argv, output=output, ready=ready, env=env) as demo:
            lines = re.findall(r"^  (.*curl .*)$", output.read_text(), re.MULTILINE)
            assert len(lines) == 6
            answers = [shell(line) for line in lines]
            assert demo.terminate() == 0, demo.printed()
    assert answers[0].startswith("HTTP/1.1 401")
    assert "WWW-Authenticate".lower() in answers[0].lower()
    assert "It works" in answers[1]
    assert answers[2].startswith("<?xml")
    assert "It works" in answers[3]
    assert '"statuscode":200' in answers[5]
    uploaded = FOLDER.parent / ".demo/files/upload.txt"
    assert uploaded.read_text() == "hello\n"


@pytest.mark.parametrize("name", ["PROXY_HTTP_ADDR", "PROXY_DEBUG_ADDR"])
def test_an_address_that_is_taken_is_said_before_anything_starts(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        argv = [sys.executable, str(FOLDER / "demo.py")]
        env = {**os.environ, "PROXY_HTTP_ADDR": "127.0.0.1:0", "PROXY_DEBUG_ADDR": "127.0.0.1:0"}
        env[name] = address
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 1
    assert address in done.stdout
    assert f"make run {name}=" in done.stdout


def shell(line: str) -> str:
    done = subprocess.run(
        ["bash", "-c", line.replace("curl ", "curl -s --max-time 30 ")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout
