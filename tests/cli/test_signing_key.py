import pytest

from ocgate.cli import main

FILE = "https://files.example.org/k1.bin"


@pytest.mark.usefixtures("environ")
def test_a_rotation_gives_a_new_key_and_old_urls_last_for_the_grace_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["sign-url", "--user", "alan", FILE]) == 0
    old = capsys.readouterr().out.strip()
    assert main(["signing-key", "rotate", "--user", "alan"]) == 0
    assert "alan has a new signing key" in capsys.readouterr().out
    assert main(["explain-url", old]) == 0
    monkeypatch.setenv("OCGATE_SIGNING_KEY_GRACE", "0s")
    assert main(["sign-url", "--user", "alan", FILE]) == 0
    middle = capsys.readouterr().out.splitlines()[-1]
    assert main(["signing-key", "rotate", "--user", "alan"]) == 0
    assert main(["explain-url", middle]) == 1
    assert "signature_mismatch" in capsys.readouterr().out


@pytest.mark.usefixtures("environ")
def test_nobody_elses_key_is_rotated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["signing-key", "rotate", "--user", "nobody"]) == 1
    assert "no user 'nobody'" in capsys.readouterr().err
