"""How the text of a setting becomes a value, and the value text again.

The forms are those of the family: Go's ParseBool words, ParseInt with base 0, ParseDuration,
lists split at commas. What cannot be read raises ValueError with a sentence; the family keeps
the default in silence.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar

from ocgate.core.durations import format_duration, parse_duration

T = TypeVar("T")

TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")

_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|[1-9](?:_?[0-9])*|0)"
)
_OCTAL = re.compile(r"^([+-]?)0(_?[0-7])")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAX_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Secret:
    """Text that no log, error or listing shows."""

    value: str = field(default="", repr=False)

    def __repr__(self) -> str:
        return "Secret('***')" if self.value else "Secret('')"

    def __str__(self) -> str:
        return "***" if self.value else ""

    def __bool__(self) -> bool:
        return bool(self.value)


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One type of setting.

    `parse` reads a scalar; `items` reads a list of YAML and is absent where only one value
    makes sense. `takes_empty`: an empty environment variable is a value and not an absence.
    """

    name: str
    parse: Callable[[str], T]
    show: Callable[[T], str] = str
    items: Callable[[Sequence[str]], T] | None = None
    takes_empty: bool = False
    secret: bool = False


def parse_text(text: str) -> str:
    """Return the text as it is; control characters are refused, as headers cannot carry them."""
    if _CONTROL.search(text):
        raise ValueError("there is a control character in it")
    return text


def parse_bool(text: str) -> bool:
    """Read one of the words that Go's ParseBool knows."""
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise ValueError(f"{text!r} is neither true nor false (accepted: true, false, 1, 0, t, f)")


def parse_int(text: str) -> int:
    """Read an integer of Go's base 0: `10`, `0x1f`, `0b11`, `0o17`, `017`, `1_000`."""
    if len(text) > _MAX_DIGITS or not _INTEGER.fullmatch(text):
        raise ValueError(f"{text[:_MAX_DIGITS]!r} is not a whole number")
    return int(_OCTAL.sub(r"\g<1>0o\2", text), 0)


def clean_items(items: Sequence[str]) -> tuple[str, ...]:
    """Trim every item and drop the empty ones."""
    trimmed = (parse_text(item).strip() for item in items)
    return tuple(item for item in trimmed if item)


def show_bool(value: bool) -> str:
    """Write a boolean as the family does."""
    return "true" if value else "false"


def show_list(value: Sequence[object]) -> str:
    """Write a list as an environment variable would have it."""
    return ",".join(map(str, value))


def integer(low: int, high: int) -> Kind[int]:
    """Make the kind of whole numbers between two bounds, both included."""

    def parse(text: str) -> int:
        number = parse_int(text)
        if not low <= number <= high:
            raise ValueError(f"{number} is not between {low} and {high}")
        return number

    return Kind(f"integer {low} to {high}", parse)


def duration(low: timedelta = timedelta(), high: timedelta | None = None) -> Kind[timedelta]:
    """Make the kind of durations that are at least `low` and at most `high`."""

    def parse(text: str) -> timedelta:
        value = parse_duration(text)
        if value < low:
            raise ValueError(f"{text} is shorter than {format_duration(low)}")
        if high is not None and value > high:
            raise ValueError(f"{text} is longer than {format_duration(high)}")
        return value

    return Kind("duration", parse, format_duration)


def choice(*words: str) -> Kind[str]:
    """Make the kind of settings that are one of a few words, in any case."""

    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"{text!r} is none of: {', '.join(words)}")
        return text.lower()

    return Kind("one of " + ", ".join(words), parse)


def listed(name: str, one: Callable[[str], T]) -> Kind[tuple[T, ...]]:
    """Make the kind of comma lists whose items are read by `one`."""

    def items(texts: Sequence[str]) -> tuple[T, ...]:
        return tuple(one(text) for text in clean_items(texts))

    return Kind(name, lambda text: items(text.split(",")), show_list, items, takes_empty=True)


def parse_token(text: str) -> str:
    """Read the name of a header (RFC 9110 §5.6.2, token)."""
    if not _TOKEN.fullmatch(text):
        raise ValueError(f"{text!r} is not a name that HTTP allows")
    return text


def parse_header_name(text: str) -> str:
    """Read the name of a header, or nothing for "not this header"."""
    return parse_token(text) if text else ""


def parse_method(text: str) -> str:
    """Read an HTTP method; methods are written in capitals."""
    return parse_token(text).upper()


TEXT = Kind("text", parse_text, takes_empty=True)
PATH = Kind("path", parse_text, takes_empty=True)
BOOL = Kind("bool", parse_bool, show_bool)
DURATION = duration()
LIST = listed("list", str)
PATHS = listed("list of paths or globs", str)
METHODS = listed("list of methods", parse_method)
HEADER_NAME = Kind("header name", parse_header_name, takes_empty=True)
HEADER_NAMES = listed("list of header names", parse_token)
SECRET = Kind("secret", lambda text: Secret(parse_text(text)), str, takes_empty=True, secret=True)
