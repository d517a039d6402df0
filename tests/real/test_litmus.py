"""litmus, the test suite of the WebDAV protocol, sees no gate."""

import re
import subprocess
from pathlib import Path

from tests.support.backends import Backend
from tests.support.gate import ALAN, Gate
from tests.support.programs import program

SUITES = ("basic", "copymove", "props", "locks", "http")

Results = dict[str, list[str]]
"""Per suite the verdict of each of its tests, every warning, and the summary."""


def litmus(url: str, *credentials: str, folder: Path) -> Results:
    """Run every suite, the later ones also after a failure, and return what it said."""
    folder.mkdir()  # it leaves debug.log and child.log where it runs
    done = subprocess.run(
        [program("litmus"), "-k", url, *credentials],
        cwd=folder,
        capture_output=True,
        timeout=120,
        check=False,
    )
    results: Results = {}
    lines: list[str] = []
    for line in done.stdout.decode(errors="replace").replace("\r", "\n").splitlines():
        if started := re.match(r"-> running `(\w+)'", line):
            lines = results.setdefault(started[1], [])
        # a test's name is printed while it runs and once more with its verdict
        elif not re.fullmatch(r"\s*(\d+\. \w+)?\.* *", line):
            lines.append(line.strip())
    return results


def passed(lines: list[str]) -> int:
    """Return how many tests of one suite passed; litmus leaves a suite at its first failure."""
    return sum(bool(re.search(r"\bpass\b", line)) for line in lines)


def test_every_suite_of_litmus_says_the_same_through_the_gate(
    gate: Gate, apache: Backend, tmp_path: Path
) -> None:
    direct = litmus(f"{apache.origin}/", folder=tmp_path / "direct")
    through = litmus(f"{gate.origin}/", *ALAN, folder=tmp_path / "through")
    assert tuple(direct) == SUITES
    assert sum(map(passed, direct.values())) == 104
    assert through == direct


def test_litmus_gets_nowhere_with_a_wrong_password(
    gate: Gate, apache: Backend, tmp_path: Path
) -> None:
    before = sorted(apache.files.iterdir())
    results = litmus(f"{gate.origin}/", ALAN[0], "wrong", folder=tmp_path / "refused")
    assert sorted(apache.files.iterdir()) == before
    assert any("FAIL" in line for line in results["basic"])
