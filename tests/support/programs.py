"""Finding the real programs that a test needs."""

import os
import shutil
import sys
from pathlib import Path

import pytest

INSTALLED_BY_CI = frozenset(
    {
        "apache2",
        "caddy",
        "chromium",
        "curl",
        "htpasswd",
        "litmus",
        "nats-server",
        "nginx",
        "rclone",
        "redis-server",
        "redis-sentinel",
    }
)
"""What `.ci/run` installs: where `CI` is set, a missing one is a failure."""


def find(name: str) -> str | None:
    """Return the program's path: beside this Python first, then PATH, then the sbin folders."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    folders += ["/usr/local/sbin", "/usr/sbin", "/sbin"]
    return shutil.which(name, path=os.pathsep.join(folders))


def program(name: str) -> str:
    """Return the program's path, or skip the test with its name (fail where CI installs it)."""
    found = find(name)
    if found is not None:
        return found
    if os.environ.get("CI") and name in INSTALLED_BY_CI:
        pytest.fail(f"{name} is missing, although .ci/run installs it")
    pytest.skip(f"{name} is not installed")
