from dataclasses import replace
from pathlib import Path

from ocgate.config.named_files import look_into
from ocgate.config.settings import Settings
from ocgate.config.settings_backend import Upstream
from ocgate.config.settings_door import Door
from ocgate.config.settings_responses import CSP


def test_defaults_name_no_files() -> None:
    mistakes, warnings = look_into(Settings(), {})
    assert mistakes == ()
    assert not [warning for warning in warnings if "csp.yaml" in str(warning)]


def test_files_that_are_needed_and_missing_are_mistakes(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("x")
    settings = replace(
        Settings(),
        door=Door(tls=True, tls_cert=str(there), tls_key=str(tmp_path / "none")),
        upstream=Upstream(ca_cert=str(tmp_path / "none")),
    )
    assert [mistake.where for mistake in look_into(settings, {})[0]] == [
        "PROXY_TRANSPORT_TLS_KEY",
        "PROXY_HTTPS_CACERT",
    ]


def test_a_policy_file_is_read(tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text("directives:\n  img-src: ['https://${IMAGES}/']\n")
    bad = tmp_path / "bad.yaml"
    bad.write_text("directives:\n  img-src: ['a; script-src *']\n")
    fine = replace(Settings(), csp=CSP(files=(str(good),)))
    mistakes, _ = look_into(fine, {"IMAGES": "images.example.com"})
    assert mistakes == ()
    mistakes, _ = look_into(replace(fine, csp=CSP(files=(str(bad),))), {})
    assert str(mistakes[0]).startswith(f"{bad}:2: ")
    mistakes, _ = look_into(replace(fine, csp=CSP(files=(str(tmp_path / "*.none"),))), {})
    assert "no file matches" in str(mistakes[0])


def test_without_a_certificate_one_will_be_made_and_that_is_said(tmp_path: Path) -> None:
    door = Door(tls=True, tls_cert=str(tmp_path / "crt"), tls_key=str(tmp_path / "key"))
    mistakes, warnings = look_into(replace(Settings(), door=door), {})
    assert mistakes == ()
    assert [warning.where for warning in warnings] == ["PROXY_TLS"]
