"""Durations in the text form of Go: `300ms`, `1h30m`, `2.5s`.

The family's configuration and its app-token API use this form. A unit is required, because
`90` means seconds to one reader and nanoseconds to another; there is no unit for days.
Source: Go's time.ParseDuration and Duration.String.
"""

import re
from datetime import timedelta
from fractions import Fraction

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_LONGEST = (1 << 63) - 1
_MAX_TEXT = 64
_TERM = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")


def parse_duration(text: str) -> timedelta:
    """Read a Go duration; a fraction of a microsecond is cut off, as timedelta has none.

    Raises ValueError with a sentence that says what was expected.
    """
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return timedelta()
    if not rest or len(text) > _MAX_TEXT:
        raise _unreadable(text)
    total = Fraction(0)
    at = 0
    while at < len(rest):
        term = _TERM.match(rest, at)
        if term is None or not (term[1] or term[2]):
            raise _unreadable(text)
        number = Fraction(int(term[1] or "0"))
        if term[2]:
            number += Fraction(int(term[2]), 10 ** len(term[2]))
        total += number * _NANOSECONDS[term[3]]
        at = term.end()
    if total > _LONGEST:
        raise ValueError("longer than 2562047h47m, the longest duration there is")
    return sign * timedelta(microseconds=int(total / 1000))


def format_duration(duration: timedelta) -> str:
    """Write a duration so that `parse_duration` reads the same one: `1h30m`, `1.5s`, `0s`."""
    if duration < timedelta():
        return "-" + format_duration(-duration)
    seconds, micro = divmod(duration // timedelta(microseconds=1), 1_000_000)
    if not seconds and micro:
        whole, part = divmod(micro, 1000)
        return f"{micro}us" if part else f"{whole}ms"
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    last = f"{seconds}.{micro:06d}".rstrip("0") + "s" if micro else f"{seconds}s"
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    if seconds or micro or not any(parts):
        parts.append(last)
    return "".join(parts)


def _unreadable(text: str) -> ValueError:
    return ValueError(
        f"{text[:_MAX_TEXT]!r} is not a duration: a number with a unit is expected, "
        "such as 300ms, 90s, 1h30m (units: ns us ms s m h)"
    )
