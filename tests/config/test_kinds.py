from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.config.kinds import (
    BOOL,
    FALSE,
    HEADER_NAME,
    LIST,
    METHODS,
    SECRET,
    TEXT,
    TRUE,
    Kind,
    Secret,
    choice,
    duration,
    integer,
    parse_int,
)


def refused(kind: Kind[Any], text: str) -> str:
    with pytest.raises(ValueError) as raised:
        kind.parse(text)
    return str(raised.value)


def test_booleans_are_the_words_of_go() -> None:
    assert [BOOL.parse(word) for word in TRUE] == [True] * len(TRUE)
    assert [BOOL.parse(word) for word in FALSE] == [False] * len(FALSE)
    for word in ("yes", "no", "on", "TRUe", "", " true", "2"):
        assert "neither true nor false" in refused(BOOL, word)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("100", 100),
        ("-7", -7),
        ("+7", 7),
        ("0x10", 16),
        ("0X1f", 31),
        ("0b11", 3),
        ("0o17", 15),
        ("017", 15),
        ("-017", -15),
        ("0_7", 7),
        ("1_000", 1000),
        ("00", 0),
    ],
)
def test_integers_have_base_zero(text: str, number: int) -> None:
    assert parse_int(text) == number


@pytest.mark.parametrize(
    "text", ["", "abc", "1.0", "1e3", "\u0665", " 1", "09", "1__0", "_1", "9" * 99]
)
def test_what_is_no_integer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        parse_int(text)


def test_an_integer_stays_within_its_bounds() -> None:
    assert integer(1, 10).parse("10") == 10
    assert refused(integer(1, 10), "11") == "11 is not between 1 and 10"


def test_a_duration_stays_within_its_bounds() -> None:
    kind = duration(timedelta(seconds=1), timedelta(hours=1))
    assert kind.parse("90s") == timedelta(seconds=90)
    assert "shorter than 1s" in refused(kind, "1ms")
    assert "longer than 1h" in refused(kind, "2h")
    assert "not a duration" in refused(kind, "90")


def test_lists_are_split_at_commas_and_trimmed() -> None:
    assert LIST.parse(" a, b ,,c,") == ("a", "b", "c")
    assert LIST.parse("") == ()
    assert LIST.parse("openid profile email") == ("openid profile email",)
    assert LIST.items is not None
    assert LIST.items(["a", " b", ""]) == ("a", "b")


def test_methods_are_written_in_capitals() -> None:
    assert METHODS.parse("get, Put") == ("GET", "PUT")
    assert "HTTP allows" in refused(METHODS, "G T")


def test_a_header_name_is_a_token_or_nothing() -> None:
    assert HEADER_NAME.parse("X-Remote-User") == "X-Remote-User"
    assert HEADER_NAME.parse("") == ""
    assert "HTTP allows" in refused(HEADER_NAME, "X Remote")


def test_a_choice_is_one_of_its_words_in_any_case() -> None:
    assert choice("error", "info").parse("INFO") == "info"
    assert refused(choice("error", "info"), "loud") == "'loud' is none of: error, info"


def test_control_characters_are_refused_in_text() -> None:
    assert TEXT.parse("max-age=1; preload") == "max-age=1; preload"
    assert "control character" in refused(TEXT, "a\r\nb")


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = SECRET.parse("swordfish")
    assert secret.value == "swordfish"
    assert "swordfish" not in f"{secret!r} {secret} {[secret]}"
    assert (str(secret), str(Secret())) == ("***", "")
    assert (bool(secret), bool(Secret())) == (True, False)
    assert secret == Secret("swordfish")


@given(st.sampled_from([BOOL, LIST, METHODS, integer(-9, 9), duration(), TEXT]), st.text())
def test_any_text_is_read_or_refused(kind: Kind[Any], text: str) -> None:
    try:
        value = kind.parse(text)
    except ValueError:
        return
    assert kind.parse(kind.show(value)) == value
