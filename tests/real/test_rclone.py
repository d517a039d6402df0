"""rclone keeps a tree of awkward names through the gate, byte for byte."""

import os
import random
import subprocess
import unicodedata
from pathlib import Path

import pytest

from tests.support.backends import Backend
from tests.support.gate import ALAN, Gate
from tests.support.programs import program

FILES = 500
QUICKLY = ("--transfers=8", "--checkers=8", "--stats=0")
NO_RETRIES = ("--retries=1", "--low-level-retries=1")

AWKWARD = (
    "two words", "  leading and trailing  ", "dollar$HOME$", "[brackets]", "[[nested] [x]]", "100%",
    "%", "%zz", "a%20b", "50% off %s", "hash#fragment", "#", "a+b", "+", "it's", "'quoted'",
    "a & b", "&amp;", "semi;colon", ";", ";v=1", "question?mark", "a=b", "comma,comma", "at@host",
    "colon:x", "exclaim!", "star*", "(round)", "{curly}", 'double"quote', "<angle>", "pipe|pipe",
    "caret^", "back`tick", "tilde~", "~", "ümläut", "Straße", "ÅÄÖ é",
    unicodedata.normalize("NFD", "zerlegt-é"), "文件", "日本語 テスト", "한국어", "файл", "ملف",
    "emoji 🎉", "\U0001f469\u200d\U0001f467", ".hidden", "..double", "...", "a..b", "trailing.",
    "a.tar.gz", "CON", "-rf", "--help", "null", "no-break\u00a0space", "a" * 240, "漢" * 80,
)  # fmt: skip


def tree(root: Path) -> None:
    """Write 500 small files, so that every name is a file's and a folder's, also one level down.

    rclone sends at most a hundred WebDAV requests a second, hence not more folders.
    """
    chance = random.Random(8)
    for number in range(FILES):
        turn, place = divmod(number, len(AWKWARD))
        folder = root
        if turn:
            if place % 3 == 0:
                folder /= f"d{AWKWARD[place - 1]}"
            folder /= f"d{AWKWARD[place]}"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / AWKWARD[(place + turn) % len(AWKWARD)]
        file.write_bytes(chance.randbytes(chance.choice((0, 1, 400, 9000))))


def contents(root: Path) -> dict[str, bytes]:
    """Return every file below `root` with its bytes."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


class Rclone:
    """rclone with one WebDAV remote, `there:`; every retry is off, so nothing is smoothed over."""

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        self.program = program("rclone")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("RCLONE_")} | {
            "RCLONE_CONFIG": os.devnull,
            "RCLONE_CONFIG_THERE_TYPE": "webdav",
            "RCLONE_CONFIG_THERE_VENDOR": "other",
            "RCLONE_CONFIG_THERE_URL": url,
        }
        if user:
            obscured = subprocess.check_output([self.program, "obscure", password], text=True)
            self.env["RCLONE_CONFIG_THERE_USER"] = user
            self.env["RCLONE_CONFIG_THERE_PASS"] = obscured.strip()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command and return how it went."""
        return subprocess.run(
            [self.program, *arguments, *QUICKLY, *NO_RETRIES],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def __call__(self, *arguments: str) -> str:
        """Run one command that has to go well and return what it printed."""
        done = self.run(*arguments)
        assert done.returncode == 0, (
            f"rclone {arguments} ended with {done.returncode}:\n{done.stderr}"
        )
        return done.stdout


@pytest.fixture(params=[pytest.param("direct", marks=pytest.mark.slow), "through the gate"])
def there(request: pytest.FixtureRequest, apache: Backend, tmp_path: Path) -> tuple[Path, Rclone]:
    """An empty folder of Apache, and rclone's way to it: both ways have to do the same."""
    folder = apache.files / tmp_path.name
    folder.mkdir()
    folder.chmod(0o777)
    if request.param == "direct":
        return folder, Rclone(f"{apache.origin}/{folder.name}")
    gate: Gate = request.getfixturevalue("gate")
    return folder, Rclone(f"{gate.origin}/{folder.name}", *ALAN)


def test_rclone_copies_checks_and_syncs_awkward_names(
    there: tuple[Path, Rclone], tmp_path: Path
) -> None:
    root, rclone = there
    here = tmp_path / "here"
    tree(here)
    assert len(contents(here)) == FILES

    rclone("copy", str(here), "there:base/copied [1]")
    stored = root / "base" / "copied [1]"
    assert contents(stored) == contents(here)
    rclone("check", "--download", str(here), "there:base/copied [1]")

    files = sorted(path for path in here.rglob("*") if path.is_file())
    for gone in files[::5]:
        gone.unlink()
    for changed in files[1::5]:
        changed.write_bytes(changed.read_bytes() + b" and more")
    (here / "late & [new] #1 + 50%.txt").write_text("late")
    assert rclone.run("check", str(here), "there:base/copied [1]").returncode == 1
    rclone("sync", str(here), "there:base/copied [1]")
    assert contents(stored) == contents(here)


def test_rclone_moves_and_copies_on_the_server(there: tuple[Path, Rclone], tmp_path: Path) -> None:
    root, rclone = there
    here = tmp_path / "here"
    here.mkdir()
    for number, name in enumerate(AWKWARD):
        (here / name).write_bytes(b"%d" % number)
    rclone("copy", str(here), "there:from")
    rclone("moveto", "there:from", "there:to é & [x] #1")
    moved = root / "to é & [x] #1"
    assert contents(moved) == contents(here)
    assert not (root / "from").exists()
    rclone("copy", "there:to é & [x] #1", "there:copies")
    assert contents(root / "copies") == contents(here)
    rclone("purge", "there:to é & [x] #1")
    assert not moved.exists()
