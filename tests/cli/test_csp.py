import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from ocgate.cli.csp import add_to
from ocgate.core.csp import DEFAULT_POLICY

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("HOST", "files.example")
    monkeypatch.setenv("EVIL", "a; script-src *")
    monkeypatch.delenv("UNSET", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        parser = argparse.ArgumentParser()
        add_to(parser.add_subparsers())
        args = parser.parse_args(["csp", "check", *map(str, arguments)])
        code = int(args.run(args))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    def file(text: str) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(text)
        return path

    return file


def test_the_final_header_is_printed(run: Run, file: Callable[[str], Path]) -> None:
    whole = file("directives: {default-src: '''self''', img-src: 'https://${HOST}/'}")
    part = file("directives: {img-src: 'data:'}")
    header = "Content-Security-Policy: default-src 'self'; img-src https://files.example/ data:\n"
    assert run(whole, part) == (0, header, "")


def test_warnings_leave_the_exit_code_alone(run: Run, file: Callable[[str], Path]) -> None:
    text = "directives:\n  default-src: self\n  img-scr: 'https://${UNSET}/'\n"
    code, out, err = run(file(text))
    assert code == 0
    assert out == "Content-Security-Policy: default-src self; img-scr https:///\n"
    assert [line.split(".yaml")[1] for line in err.splitlines()] == [
        ":3: img-scr: UNSET is not set",
        ":2: default-src: self without quotes is a host name; in YAML the keyword is '''self'''",
        ":3: img-scr: unknown directive, browsers ignore it; did you mean img-src?",
    ]
    assert all(line.startswith("warning: ") for line in err.splitlines())


def test_every_mistake_is_printed(run: Run, file: Callable[[str], Path]) -> None:
    code, out, err = run(file("directives:\n  default-src: []\n  img-src: '${EVIL}'\n"))
    assert (code, out) == (1, "")
    assert [line.split(".yaml")[1][:16] for line in err.splitlines()] == [
        ":2: default-src:",
        ":3: img-src: '${",
    ]
    assert all(line.startswith("error: ") for line in err.splitlines())
    assert "script-src *" not in err


def test_without_a_file_it_is_the_default_policy(run: Run) -> None:
    assert run() == (0, f"Content-Security-Policy: {DEFAULT_POLICY.header}\n", "")


def test_it_says_when_files_are_added_to_the_default_policy(
    run: Run, file: Callable[[str], Path]
) -> None:
    part = file("directives: {img-src: 'data:'}")
    code, out, err = run(part)
    assert (code, out) == (0, f"Content-Security-Policy: {DEFAULT_POLICY.header}\n")
    assert err.startswith("note: no file has default-src")
    assert run("--mode", "merge", part) == (code, out, "")
    assert run("--mode", "replace", part)[1] == "Content-Security-Policy: img-src data:\n"


def test_overrides_and_issuer(run: Run, file: Callable[[str], Path]) -> None:
    part = file("directives: {img-src: 'data:'}")
    over = file("directives: {default-src: '''none'''}")
    code, out, _ = run(part, "--override", over, "--issuer", "https://idp.example/x")
    assert code == 0
    assert out == (
        "Content-Security-Policy: connect-src https://idp.example; default-src 'none'; "
        "frame-src https://idp.example\n"
    )
    assert run("--issuer", "idp.example")[0] == 1


def test_report_only_has_its_own_name_and_warning(run: Run) -> None:
    code, out, err = run("--report-only")
    assert code == 0
    assert out.startswith("Content-Security-Policy-Report-Only: child-src")
    assert "only the browser's console" in err
