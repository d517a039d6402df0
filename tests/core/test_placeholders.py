import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import ConfigError
from ocgate.core.placeholders import Substituted, substitute

ENVIRON = {"HOST": "idp.example", "EMPTY": "", "NESTED": "${HOST}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no placeholder", "no placeholder"),
        ("${HOST}", "idp.example"),
        ("${HOST|other.example}", "idp.example"),
        ("${UNSET|https://d.example}", "https://d.example"),
        ("${ UNSET | spaced }", "spaced"),
        ("${EMPTY|default}", "default"),
        ("${UNSET|a|b}", "a|b"),
        ("https://${HOST}:${PORT|443}/", "https://idp.example:443/"),
        ("x${UNSET|q}y", "xqy"),
        ("${NESTED}", "${HOST}"),
        ("${UNSET|${HOST}}", "${HOST}"),
        ("${UNSET|a}b}", "a}b"),
        ("a${UNSET|x}b}", "axb}"),
        ("$HOST", "$HOST"),
        ("${HOST", "${HOST"),
        ("$NONCE", "$NONCE"),
    ],
)
def test_placeholders_are_filled_in_as_the_family_does(text: str, expected: str) -> None:
    assert substitute(text, ENVIRON).text == expected


def test_it_says_which_variables_took_part_and_which_are_missing() -> None:
    assert substitute("${HOST}${UNSET}${EMPTY}${OTHER|x}", ENVIRON) == Substituted(
        "idp.examplex", variables=("HOST",), missing=("UNSET", "EMPTY")
    )


def test_an_empty_default_says_that_nothing_is_intended() -> None:
    assert substitute("${UNSET|}", ENVIRON).missing == ()


def test_a_required_variable_refuses_with_its_message() -> None:
    assert substitute("${HOST | ?set the host}", ENVIRON).text == "idp.example"
    with pytest.raises(ConfigError, match=r"^set the host$"):
        substitute("${UNSET | ?set the host}", ENVIRON)
    with pytest.raises(ConfigError, match=r"^the variable EMPTY must be set$"):
        substitute("${EMPTY|?}", ENVIRON)


@pytest.mark.parametrize("text", ["${UNSET:-x}", "${}", "${ }", "${a b}", "x${1A}y"])
def test_what_cannot_be_a_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="does not name a variable"):
        substitute(text, ENVIRON)


@given(st.text(alphabet="${}|? AB:\n"), st.dictionaries(st.sampled_from("AB"), st.text()))
def test_any_text_is_filled_in_or_refused(text: str, environ: dict[str, str]) -> None:
    try:
        filled = substitute(text, environ)
    except ConfigError:
        return
    assert set(filled.variables) <= {name for name, value in environ.items() if value}
    assert all(not environ.get(name) for name in filled.missing)
    if "${" not in text:
        assert filled.text == text
