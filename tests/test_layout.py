"""The house is as the map says: mirrored tests, bounded modules, one version, clean text."""

import re
import subprocess
from pathlib import Path

import ocgate

ROOT = Path(__file__).parent.parent

ROOTS = {"src/ocgate": "tests", "middleware/ocgate_middleware": "tests/middleware"}

WITHOUT_OWN_TEST = {
    "src/ocgate/__main__.py": "two lines that call the command line",
    "src/ocgate/stores/base.py": "a Protocol: tests/stores/test_store.py is its contract",
}
"""Modules without a mirrored test file, each with its reason."""

LONG = dict[str, str]()
"""Modules over 300 lines, each with its reason."""


def modules() -> list[Path]:
    return [
        path
        for root in ROOTS
        for path in sorted((ROOT / root).rglob("*.py"))
        if "_pb2" not in path.name
    ]


def mirrored(path: Path) -> Path:
    for root, tests in ROOTS.items():
        if path.is_relative_to(ROOT / root):
            inside = path.relative_to(ROOT / root)
            return ROOT / tests / inside.parent / f"test_{inside.name}"
    raise AssertionError(path)


def test_every_module_has_its_test() -> None:
    missing = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.name != "__init__.py"
        and not mirrored(path).exists()
        and str(path.relative_to(ROOT)) not in WITHOUT_OWN_TEST
    ]
    assert missing == []


def test_no_module_is_long_without_a_reason() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in modules()
    }
    assert {name: n for name, n in lengths.items() if n > 300 and name not in LONG} == {}
    assert sorted(lengths.values())[len(lengths) // 2] < 130


def test_the_changelog_begins_with_the_version() -> None:
    match = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert match is not None
    assert match[1] == ocgate.__version__
    assert f'version = "{ocgate.__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_the_locks_have_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text, lock.name
        pins = re.findall(r"^[a-z0-9].*==.*$", text, re.MULTILINE)
        assert pins, lock.name
        assert all(line.endswith("\\") for line in pins), lock.name


def test_no_path_of_a_machine_is_committed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    ours = str(ROOT.parent) + "/"
    found = [
        str(path.relative_to(ROOT))
        for path in files
        if path.is_file() and ours.encode() in path.read_bytes()
    ]
    assert found == []
