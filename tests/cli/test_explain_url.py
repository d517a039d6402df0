import pytest

from ocgate.cli import main

FILE = "https://files.example.org/k1.bin"


@pytest.fixture
def url(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["sign-url", "--user", "alan", FILE]) == 0
    return capsys.readouterr().out.strip()


def test_a_good_url_is_accepted_and_its_text_shown(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain-url", url]) == 0
    printed = capsys.readouterr().out
    assert "1. https://files.example.org/k1.bin?OC-Credential=alan&" in printed
    assert "fits" in printed
    assert printed.endswith("accepted\n")


@pytest.mark.parametrize(
    ("change", "method", "reason"),
    [
        (("k1.bin", "k2.bin"), "GET", "signature_mismatch"),
        (("OC-Credential=alan", "OC-Credential=nobody"), "GET", "unknown_user"),
        (("OC-Credential=alan", "OC-Credential=mary"), "GET", "unknown_user"),
        (("OC-Expires=3600", "OC-Expires=x"), "GET", "malformed"),
        (("", ""), "PUT", "method_mismatch"),
        (("", ""), "PATCH", "method_not_allowed"),
        (("OC-Date=20", "OC-Date=19"), "GET", "expired"),
        (("OC-Date=20", "OC-Date=21"), "GET", "not_yet_valid"),
    ],
)
def test_each_refusal_names_its_reason_and_never_the_right_signature(
    url: str,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, str],
    method: str,
    reason: str,
) -> None:
    good = url.rpartition("OC-Signature=")[2]
    changed = url.replace(*change, 1) if change[0] else url
    changed = changed.replace(good, "0" * 64)
    assert main(["explain-url", "--method", method, changed]) == 1
    printed = capsys.readouterr().out
    assert f"\n{reason}: " in f"\n{printed}"
    assert printed.endswith("refused\n")
    assert good not in printed


def test_another_users_key_can_be_tried(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    other = url.replace("OC-Credential=alan", "OC-Credential=alias")
    assert main(["explain-url", "--user", "alan", other]) == 1
    assert "does not fit" in capsys.readouterr().out


@pytest.mark.usefixtures("environ")
def test_a_url_without_a_signature_is_no_presigned_url(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-url", FILE]) == 1
    assert "malformed: There is no OC-Signature" in capsys.readouterr().out


@pytest.mark.usefixtures("environ")
def test_an_argument_that_is_not_utf8_is_malformed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain-url", f"{FILE}?OC-Credential=\udce4&OC-Signature=00"]) == 1
    assert "malformed" in capsys.readouterr().out
