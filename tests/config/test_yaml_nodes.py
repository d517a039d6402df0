import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.config.mistakes import Misconfigured
from ocgate.config.yaml_nodes import Node, parse_yaml


def mistakes(text: str) -> list[str]:
    with pytest.raises(Misconfigured) as raised:
        parse_yaml(text, "proxy.yaml")
    return [str(mistake) for mistake in raised.value.mistakes]


def test_scalars_stay_text_and_know_their_line() -> None:
    root = parse_yaml("http:\n  tls: no\n  addr: '0x10'\n", "proxy.yaml")
    assert root.at("http.tls") == Node("proxy.yaml:2", text="no")
    assert root.at("http.addr") == Node("proxy.yaml:3", text="0x10")


def test_null_and_nothing_are_null_and_quoted_emptiness_is_not() -> None:
    root = parse_yaml("a:\nb: null\nc: ~\nd: ''\ne: 'null'\n", "x")
    assert root.entries is not None
    assert [node.is_null for node in root.entries.values()] == [True, True, True, False, False]
    assert parse_yaml("", "x").is_null


def test_a_path_that_is_not_there_is_none() -> None:
    root = parse_yaml("a: [b]\n", "x")
    assert root.at("a.b") is None
    assert root.at("z") is None


def test_a_name_is_unique() -> None:
    assert mistakes("a: 1\nb: 2\na: 3\n") == ["proxy.yaml:3: 'a' is already there, in line 1"]


def test_all_mistakes_are_found_at_once() -> None:
    assert mistakes("a: 1\na: 2\n? [x]\n: 1\n") == [
        "proxy.yaml:2: 'a' is already there, in line 1",
        "proxy.yaml:3: a name must be text",
    ]


def test_broken_yaml_has_file_and_line() -> None:
    (mistake,) = mistakes("a: 1\nb: [\n")
    assert mistake.startswith("proxy.yaml:3: ")
    assert mistakes("a: 1\nb: \x07\n") == ["proxy.yaml:2: has a character that YAML does not allow"]
    assert mistakes("[" * 5000) == ["proxy.yaml: is not YAML that can be read"]


def test_merges_fill_in_what_is_not_written_out() -> None:
    text = "d: &d {a: 1, b: 2}\nx:\n  <<: *d\n  b: 3\n"
    root = parse_yaml(text, "x")
    assert [node.text for path in ("x.a", "x.b") if (node := root.at(path))] == ["1", "3"]
    assert mistakes("x:\n  <<: y\n") == ["proxy.yaml:2: only mappings can be merged with <<"]


def test_an_alias_within_itself_is_refused_and_shared_ones_are_cheap() -> None:
    assert mistakes("a: &a [*a]\n") == ["proxy.yaml:1: an alias within what it stands for"]
    bomb = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40)
    )
    assert parse_yaml(bomb, "x").at("a39") is not None


@given(st.one_of(st.text(), st.text(alphabet="ab:-[]{}&*<#'\"!|> \n")))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Misconfigured):
        assert parse_yaml(text, "x").place
