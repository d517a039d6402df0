"""Examples as somebody who reads their first lines starts them."""

import contextlib
import os
import sys
from collections.abc import Generator, Mapping
from pathlib import Path

from tests.support.processes import child

FOLDER = Path(__file__).parents[2] / "examples"


@contextlib.contextmanager
def example(name: str, *arguments: str, env: Mapping[str, str], folder: Path) -> Generator[str]:
    """Run an example that serves; yields the address that it prints."""
    output = folder / f"{name}.out"
    argv = [sys.executable, str(FOLDER / f"{name}.py"), *arguments]

    def printed() -> str:
        lines = output.read_text().splitlines() if output.exists() else []
        return next((line for line in lines if line.startswith("http://")), "")

    with child(argv, output=output, ready=printed, env={**os.environ, **env}):
        yield printed()
