import json
from pathlib import Path

import pytest

from ocgate.cli import main


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OC_CONFIG_DIR", "OC_BASE_DATA_PATH", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("OCGATE_UPSTREAM", "http://127.0.0.1:8081")


def test_show_prints_every_value_with_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show"]) == 0
    out = capsys.readouterr().out
    assert "http://127.0.0.1:8081  (OCGATE_UPSTREAM)" in out
    assert "0.0.0.0:9200  (default)" in out


def test_show_masks_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROXY_DEBUG_TOKEN", "swordfish")
    assert main(["config", "show", "--changed", "--json"]) == 0
    shown = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert shown["debug.token"] == {
        "name": "debug.token",
        "value": "***",
        "origin": "PROXY_DEBUG_TOKEN",
    }
    assert "door.address" not in shown


def test_check_accepts_with_warnings_and_lists_what_is_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROXY_HTP_ADDR", "x")
    monkeypatch.setenv("WEB_OIDC_CLIENT_ID", "x")
    assert main(["config", "check"]) == 0
    out, err = capsys.readouterr()
    assert "warning: PROXY_HTP_ADDR: nobody reads this; did you mean PROXY_HTTP_ADDR?" in err
    assert "WEB_OIDC_CLIENT_ID: ignored (belongs to the service web)" in out
    assert out.endswith("mistakes: 0, warnings: 1, ignored: 1\n")


def test_check_reports_all_mistakes_with_file_and_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "proxy.yaml").write_text("http:\n  tls: perhaps\n")
    monkeypatch.setenv("OCGATE_GRACE", "90")
    assert main(["config", "check"]) == 1
    out, err = capsys.readouterr()
    assert f"mistake: {tmp_path}/proxy.yaml:2: 'perhaps' is neither true nor false" in err
    assert "mistake: OCGATE_GRACE: '90' is not a duration" in err
    assert out.endswith("mistakes: 2, warnings: 0, ignored: 0\n")


def test_check_looks_into_the_files_that_settings_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PROXY_CSP_CONFIG_FILE_LOCATION", str(tmp_path / "none.yaml"))
    assert main(["config", "check"]) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_show_refuses_a_configuration_with_mistakes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROXY_TLS", "perhaps")
    assert main(["config", "show"]) == 1
    assert capsys.readouterr().err.startswith("ocgate: PROXY_TLS: 'perhaps' is neither")


def test_docs_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "docs"]) == 0
    assert "# Configuration" in capsys.readouterr().out


def test_check_looks_into_the_users_file(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "check"]) == 0
    Path(environ["OCGATE_USERS_FILE"]).write_text("users:\n  - name: alan\n    colour: red\n")
    assert main(["config", "check"]) == 1
    assert "users.yaml:3" in capsys.readouterr().err
