"""Which processor does what: the server under test alone on one, load and backend on another."""

import os
import shutil


def pinned(argv: list[str], *, tested: bool) -> list[str]:
    """Return the command bound to its processor, where there are two and `taskset` is there."""
    processors = sorted(os.sched_getaffinity(0))
    taskset = shutil.which("taskset")
    if taskset is None or len(processors) < 2:
        return argv
    return [taskset, "-c", str(processors[1] if tested else processors[0]), *argv]
