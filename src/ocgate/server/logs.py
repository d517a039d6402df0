"""Logging in the family's form: one JSON object a line, on stderr.

`level` (debug, info, warn, error, fatal), `service`, the fields of the entry, `time`
(RFC 3339), `line` (where the entry was written; at level info and below), `message`. Code
passes fields as `extra={"fields": {...}}`. Everything is ASCII, so that no name or path can
drive a terminal. What looks like a secret is blotted out, should one ever get this far.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from ocgate.core.errors import ConfigError

LEVELS: Mapping[str, int] = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "panic": logging.CRITICAL,
}
"""The family's level names (`OC_LOG_LEVEL`), and `warning`."""

_NAMES = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warn",
    logging.ERROR: "error",
    logging.CRITICAL: "fatal",
}
_BLOT = "***"
_SECRET = re.compile(
    # name=value of queries and forms, also escaped, and "name": "value" of JSON
    r"((?:signature|token|secret|password|passwd|api_?key|signing-key)[\"']?\s*(?:=|%3D|:\s)\s*[\"']?)"
    r"[^\s\"'&,;}]+"
    r"|((?:basic|bearer)\s+)[A-Za-z0-9._~+/=-]{8,}",
    re.IGNORECASE,
)
# These log whole URLs with their queries at level info, or what our own lines say already.
_TALKATIVE = ("httpx", "httpcore", "nats", "asyncio", "uvicorn")


class JSONFormatter(logging.Formatter):
    """Writes an entry as one line of JSON; `with_line` adds where it was written."""

    def __init__(self, *, service: str, with_line: bool) -> None:
        super().__init__()
        self._service = service
        self._with_line = with_line

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return json.dumps(self.entry(record), default=str, separators=(",", ":"))

    def entry(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what the line is made of, without secrets."""
        entry: dict[str, Any] = {
            "level": _NAMES.get(record.levelno, record.levelname.lower()),
            "service": self._service,
        }
        fields: Mapping[str, Any] = getattr(record, "fields", {})
        for name, value in fields.items():
            entry[name] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            entry["stack"] = redact(self.formatException(record.exc_info))
        entry["time"] = _time(record)
        if self._with_line:
            entry["line"] = f"{record.pathname}:{record.lineno}"
        entry["message"] = redact(record.getMessage())
        return entry


class PrettyFormatter(JSONFormatter):
    """Writes an entry for people who watch: time, level, message, then `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; a stack trace follows on lines of its own."""
        entry = self.entry(record)
        time, level, message = (entry.pop(name) for name in ("time", "level", "message"))
        stack = entry.pop("stack", None)
        del entry["service"]
        parts = [time, level.upper()[:3], json.dumps(message)[1:-1]]
        parts += [f"{name}={json.dumps(value, default=str)}" for name, value in entry.items()]
        line = " ".join(parts)
        return f"{line}\n{_visible(stack)}" if stack else line


def redact(text: str) -> str:
    """Return the text without the values of signatures, tokens and passwords."""
    return _SECRET.sub(lambda found: (found[1] or found[2]) + _BLOT, text)


def configure_logging(
    level: str, *, service: str = "proxy", pretty: bool = False, file: str | Path | None = None
) -> None:
    """Send everything that is logged to stderr, or to `file`, in this form.

    May be called again; the last call counts. A file is opened again when it was rotated away.
    Raises `ConfigError` for an unknown level and for a file that cannot be written.
    """
    number = LEVELS.get(level.lower())
    if number is None:
        raise ConfigError(f"log level {level!r}: expected one of {', '.join(LEVELS)}")
    handler = _handler(file)
    form = PrettyFormatter if pretty else JSONFormatter
    handler.setFormatter(form(service=service, with_line=number <= logging.INFO))
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h.formatter, JSONFormatter)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(number)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def _handler(file: str | Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    try:
        return WatchedFileHandler(file, encoding="ascii", errors="backslashreplace")
    except OSError as error:
        raise ConfigError(f"log file {file}: {error.strerror or error}") from None


def _visible(stack: str) -> str:
    """Escape everything that could drive a terminal; the line breaks stay."""
    return "\n".join(json.dumps(line)[1:-1] for line in stack.split("\n"))


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
