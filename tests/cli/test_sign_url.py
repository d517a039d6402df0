from pathlib import Path

import pytest

from ocgate.cli import main

FILE = "https://files.example.org/a%20file"


@pytest.mark.usefixtures("environ")
def test_a_made_url_is_one_that_the_gate_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sign-url", "--user", "alan", "--method", "PUT", "--expires", "20m", FILE]) == 0
    url = capsys.readouterr().out.strip()
    assert url.startswith(f"{FILE}?OC-Credential=alan&OC-Date=")
    assert "&OC-Expires=1200&OC-Verb=PUT&" in url
    assert main(["explain-url", "--method", "PUT", url]) == 0


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--user", "nobody", FILE], "no user 'nobody'"),
        (["--user", "alan", "--expires", "soon", FILE], "--expires"),
        (["--user", "alan", "--expires", "0s", FILE], "validity"),
        (["--user", "alan", "/relative"], "absolute"),
    ],
)
def test_what_cannot_be_signed_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert main(["sign-url", *words]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert why in output.err


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("words", [["--method", "DELETE"], ["--expires", "200h"]])
def test_a_url_that_the_gate_would_refuse_is_made_with_a_warning(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(["sign-url", "--user", "alan", *words, FILE]) == 0
    assert "the gate refuses" in capsys.readouterr().err
    assert main(["sign-url", "--user", "alan", FILE]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("environ")
def test_a_url_that_outlives_its_key_is_made_with_a_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sign-url", "--user", "alan", "--expires", "48h", FILE]) == 0
    assert "the key lives 24h" in capsys.readouterr().err


@pytest.mark.usefixtures("environ")
def test_a_store_that_cannot_be_used_is_said_with_the_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OC_BASE_DATA_PATH", str(tmp_path / "file"))
    assert main(["sign-url", "--user", "alan", FILE]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ocgate: The store did not answer. (sqlite")
    assert str(tmp_path / "file") in error
