import io

import bcrypt
import pytest

from ocgate.cli import main


@pytest.mark.parametrize("password", ["demo", "with space ", "ümlaut", "x" * 72])
def test_the_hash_fits_the_password(
    password: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocgate.cli.hash_password.COST", 4)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    assert main(["hash-password"]) == 0
    digest = capsys.readouterr().out.strip()
    assert bcrypt.checkpw(password.encode(), digest.encode())
    assert digest.startswith("$2b$04$")


@pytest.mark.parametrize("password", ["", "x" * 73, "ü" * 37, "nul\0"])
def test_a_password_that_would_be_cut_is_refused(
    password: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    assert main(["hash-password"]) == 1
    assert "72 bytes" in capsys.readouterr().err


def test_a_password_that_is_no_text_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = b"\xff\xfe\n".decode("utf-8", "surrogateescape")
    monkeypatch.setattr("sys.stdin", io.StringIO(given))
    assert main(["hash-password"]) == 1
    assert capsys.readouterr().err == "ocgate: a password is text in UTF-8\n"


def test_ctrl_d_at_the_prompt_is_no_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_prompt: str) -> str:
        raise EOFError

    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("getpass.getpass", closed)
    assert main(["hash-password"]) == 1
    assert capsys.readouterr().err == "ocgate: no password was given\n"
