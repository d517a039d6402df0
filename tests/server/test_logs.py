import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import ConfigError
from ocgate.core.identity import Rejection
from ocgate.server.logs import JSONFormatter, configure_logging, redact
from ocgate_middleware.identify import report


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [h for h in root.handlers if h not in handlers]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    for name in ("httpx", "httpcore", "nats", "asyncio"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def entry(message: str, *args: object, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    record = logging.LogRecord("ocgate", logging.INFO, "/a/b.py", 7, message, args, None)
    if fields is not None:
        record.fields = fields
    line = JSONFormatter(service="proxy", with_line=False).format(record)
    assert line.isascii()
    assert "\n" not in line
    return dict(json.loads(line))


def test_a_line_has_the_familys_keys_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    logging.getLogger("ocgate.access").info("access-log", extra={"fields": {"status": 200}})
    line = capsys.readouterr().err
    found = json.loads(line)
    assert list(found) == ["level", "service", "status", "time", "line", "message"]
    assert found["level"] == "info"
    assert found["service"] == "proxy"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"])
    assert re.fullmatch(r".*test_logs\.py:\d+", found["line"])


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warn", "error"]),
        ("INFO", ["info", "warn", "error"]),
        ("warn", ["warn", "error"]),
        ("error", ["error"]),
        ("fatal", []),
    ],
)
def test_levels_have_the_familys_names(
    level: str, shown: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level, service="ocs")
    log = logging.getLogger("ocgate.x")
    for say in (log.debug, log.info, log.warning, log.error):
        say("hello")
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["level"] for line in found] == shown
    assert all(line["service"] == "ocs" for line in found)
    assert all(("line" in line) == (level.lower() in ("debug", "info")) for line in found)


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match="loud"):
        configure_logging("loud")


def test_the_last_configuration_counts(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        configure_logging("error")
    logging.getLogger("ocgate").error("once")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_file_is_written_and_opened_again_after_rotation(tmp_path: Path) -> None:
    path = tmp_path / "ocgate.log"
    configure_logging("error", file=path)
    log = logging.getLogger("ocgate")
    log.error("first")
    path.rename(tmp_path / "ocgate.log.1")
    log.error("second")
    assert json.loads(path.read_text())["message"] == "second"
    with pytest.raises(ConfigError, match="No such file"):
        configure_logging("error", file=tmp_path / "none" / "x")


def test_an_exception_has_its_stack_in_one_line() -> None:
    try:
        int("first\nsecond")
    except ValueError:
        why = sys.exc_info()
    else:
        raise AssertionError
    record = logging.LogRecord("x", logging.ERROR, "x", 1, "broken", (), why)
    line = JSONFormatter(service="proxy", with_line=False).format(record)
    assert "\n" not in line
    assert "Traceback" in json.loads(line)["stack"]


def test_the_form_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("error", pretty=True)
    log = logging.getLogger("ocgate")
    log.error("a\x1b[31m\nb", extra={"fields": {"path": "/ä\n"}})
    line = capsys.readouterr().err
    assert line.endswith(' ERR a\\u001b[31m\\nb path="/\\u00e4\\n"\n')
    try:
        int("\x1b[31mü")
    except ValueError:
        log.exception("broken")
    stack = capsys.readouterr().err
    assert "Traceback" in stack
    assert stack.isascii()
    assert "\x1b" not in stack


@pytest.mark.parametrize(
    ("text", "blotted"),
    [
        ("GET /a?OC-Signature=0a1b2c&x=1", "GET /a?OC-Signature=***&x=1"),
        ("oc-signature%3D0a1b", "oc-signature%3D***"),
        ("?access_token=abc.def.ghi", "?access_token=***"),
        ("token=abc, user=alan", "token=***, user=alan"),
        ('{"refresh_token": "abc", "a": 1}', '{"refresh_token": "***", "a": 1}'),
        ("client_secret=s3cret", "client_secret=***"),
        ("password=geheim", "password=***"),
        ("Authorization: Basic YWxhbjpnZWhlaW0=", "Authorization: Basic ***"),
        ("authorization: bearer eyJhbGciOi.J9.x-_", "authorization: bearer ***"),
    ],
)
def test_secrets_are_blotted_out(text: str, blotted: str) -> None:
    assert redact(text) == blotted
    assert entry("%s", text)["message"] == blotted
    assert entry("x", fields={"error": text})["error"] == blotted


@pytest.mark.parametrize(
    "text", ["access-log", "/files/token.txt", "signature_mismatch", "no basic users", "OC-Date=x"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(), st.text(), st.text())
def test_any_text_makes_one_line_of_json(message: str, name: str, value: str) -> None:
    found = entry("%s", message, fields={"x" + name: value})
    assert found["level"] == "info"


def test_a_field_that_is_no_json_does_not_stop_the_line() -> None:
    assert entry("x", fields={"path": Path("/a")})["path"] == "/a"


FAIL2BAN = re.compile(
    r'^\{"level":"error",.*"client\.address":"(?P<host>[^"]+)",'
    r'.*"message":"authentication failed"\}$'
)


def test_a_refused_login_is_a_line_that_fail2ban_can_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("error")
    scope = {"type": "http", "client": ("192.0.2.66", 1), "path": "/a"}
    forged = 'x","client.address":"198.51.100.1'
    report(scope, "basic", Rejection("wrong_password", forged))
    line = capsys.readouterr().err.rstrip("\n")
    found = FAIL2BAN.match(line)
    assert found is not None
    assert found["host"] == "192.0.2.66"
    assert json.loads(line)["user"] == forged


def test_libraries_do_not_log_whole_urls(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    logging.getLogger("httpx").info("HTTP Request: GET https://a.example/?x=secret")
    assert capsys.readouterr().err == ""
