"""The servers that the tests of the stores share: each is started once, when first needed."""

import contextlib
from collections.abc import Iterator

import pytest

from tests.support.stores import BACKENDS, Backend, Running


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give the backend of a kind, started by the first test that asks."""
    started = dict[str, Backend]()
    with contextlib.ExitStack() as stack:

        def backend(kind: str) -> Backend:
            if kind not in started:
                folder = tmp_path_factory.mktemp(kind)
                started[kind] = stack.enter_context(BACKENDS[kind](folder))
            return started[kind]

        yield backend
