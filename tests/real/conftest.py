"""Servers that the tests of this folder share."""

from collections.abc import Generator

import pytest

from tests.real.scene import Scene
from tests.support import backends
from tests.support.backends import Backend
from tests.support.gate import Gate, running_gate
from tests.support.recorder import recorder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as needing real servers."""
    for item in items:
        if "tests/real/" in item.path.as_posix():
            item.add_marker(pytest.mark.real)


@pytest.fixture(scope="session")
def apache() -> Generator[Backend]:
    with backends.apache() as server:
        yield server


@pytest.fixture(scope="session")
def gate(apache: Backend) -> Generator[Gate]:
    """A gate with default settings in front of Apache."""
    with running_gate(apache.origin) as running:
        yield running


@pytest.fixture(scope="session")
def scene() -> Generator[Scene]:
    with recorder() as behind, running_gate(behind.origin) as running:
        yield Scene(running, behind)
