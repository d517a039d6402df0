"""The command line as a whole: `ocgate.cli`."""

import subprocess
import sys

import pytest

from ocgate import __version__
from ocgate.cli import COMMANDS, main


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ocgate {__version__}\n"


@pytest.mark.parametrize("words", [[], ["nonsense"], ["config"], ["config", "nonsense"]])
def test_wrong_usage_is_two(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "usage: ocgate" in capsys.readouterr().err


@pytest.mark.parametrize("command", [command for command, _, _ in COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"usage: ocgate {command}" in capsys.readouterr().out


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(line in " ".join(out.split()) for _, _, line in COMMANDS)


def test_the_version_needs_no_server_library() -> None:
    code = (
        "import sys\n"
        "from ocgate.cli import main\n"
        "main(['--version'])\n"
        "heavy = {'uvicorn', 'grpc', 'yaml', 'httpx', 'starlette', 'nats', 'redis', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_the_package_can_be_run_and_survives_a_reader_that_leaves() -> None:
    argv = [sys.executable, "-m", "ocgate", "config", "docs"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)
