from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", timedelta()),
        ("-0", timedelta()),
        ("0s", timedelta()),
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(minutes=90)),
        ("300ms", timedelta(milliseconds=300)),
        ("1.5h", timedelta(minutes=90)),
        (".5s", timedelta(milliseconds=500)),
        ("5.s", timedelta(seconds=5)),
        ("-1m", timedelta(minutes=-1)),
        ("+1m", timedelta(minutes=1)),
        ("10us", timedelta(microseconds=10)),
        ("10µs", timedelta(microseconds=10)),
        ("1999ns", timedelta(microseconds=1)),
        ("1s1h", timedelta(hours=1, seconds=1)),
        ("2562047h", timedelta(hours=2562047)),
    ],
)
def test_a_go_duration_is_read(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "-", "90", "2d", "1 h", " 1h", "1h ", ".s", "s", "1H", "1e3s", "--1s", "1_0s", "٣s"],
)
def test_what_go_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["2562048h", "9" * 60 + "h"])
def test_a_duration_beyond_sixty_three_bits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="longest"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("90s", "1m30s"),
        ("12h", "12h"),
        ("0s", "0s"),
        ("1500ms", "1.5s"),
        ("-5m", "-5m"),
        ("250us", "250us"),
        ("20ms", "20ms"),
        ("1h0m1s", "1h1s"),
    ],
)
def test_durations_are_written_short(text: str, shown: str) -> None:
    assert format_duration(parse_duration(text)) == shown


@given(st.timedeltas(min_value=timedelta(days=-90000), max_value=timedelta(days=90000)))
def test_what_is_written_is_read_back(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@given(st.one_of(st.text(), st.text(alphabet="0123456789.+-nuµmsh ")))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        duration = parse_duration(text)
    except ValueError:
        return
    assert parse_duration(format_duration(duration)) == duration
