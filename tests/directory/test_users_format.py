from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.identity import Account
from ocgate.directory.users_format import (
    LocalUser,
    Mistake,
    folded,
    id_of,
    parse_htpasswd,
    parse_yaml,
)

HASH = "$2b$04$" + "a" * 21 + "." + "b" * 30 + "."
ENCODED = HASH.encode()


def test_an_htpasswd_line_is_a_user() -> None:
    users, mistakes = parse_htpasswd(f"# people\n\nalan:{HASH}\r\nJürgen M.:{HASH}:a comment\n")
    assert mistakes == []
    assert users == [
        LocalUser(Account(id_of("alan"), "alan"), ENCODED),
        LocalUser(Account(id_of("Jürgen M."), "Jürgen M."), ENCODED),
    ]


def test_every_broken_line_is_told_with_its_number() -> None:
    lines = [
        "nocolon",
        f"alan:{HASH}",
        "mary:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "moss:$apr1$xyz$abc",
        f":{HASH}",
        f"a\tb:{HASH}",
        f"ALAN:{HASH}",
        f" edge:{HASH}",
        "empty:",
    ]
    users, mistakes = parse_htpasswd("\n".join(lines))
    assert [user.account.name for user in users] == ["alan", "ALAN"]
    assert sorted(mistake.line for mistake in mistakes) == [1, 3, 4, 5, 6, 7, 8, 9]
    assert any("line 2 already" in mistake.text for mistake in mistakes if mistake.line == 7)
    assert not any("W6ph5" in mistake.text for mistake in mistakes)


def test_ids_are_the_same_after_every_restart_and_in_every_spelling() -> None:
    assert id_of("alan") == id_of("Alan") == "8b9d06c7-8764-5a9c-ba38-f5585236c8e9"
    assert id_of("alan") != id_of("mary")


def test_names_fold_whatever_unicode_form_they_come_in() -> None:
    assert folded("Ju\u0308rgen") == folded("JÜRGEN") == "jürgen"


def test_yaml_has_all_fields() -> None:
    text = f"""
users:
  - name: alan
    id: 4c510ada-c86b-4815-8820-42cdf82c3d51
    display_name: Alan Turing
    mail: alan@example.org
    roles: [user, admin]
    groups:
      - physics
    enabled: false
    password_hash: {HASH}
  - name: "1234"
  - {{name: 007, enabled: yes, mail: null, groups: }}
"""
    users, mistakes = parse_yaml(text)
    assert mistakes == []
    assert users == [
        LocalUser(
            Account(
                id="4c510ada-c86b-4815-8820-42cdf82c3d51",
                name="alan",
                display_name="Alan Turing",
                mail="alan@example.org",
                roles=("user", "admin"),
                groups=("physics",),
                enabled=False,
            ),
            ENCODED,
        ),
        LocalUser(Account(id_of("1234"), "1234")),
        LocalUser(Account(id_of("007"), "007")),
    ]


def test_yaml_may_be_a_map_by_name() -> None:
    users, mistakes = parse_yaml(f"users:\n  alan:\n    password_hash: {HASH}\n  mary: {{}}\n")
    assert mistakes == []
    assert [(user.account.name, user.password_hash) for user in users] == [
        ("alan", ENCODED),
        ("mary", None),
    ]


@pytest.mark.parametrize("text", ["", "users:\n", "users: []\n", "users: {}\n", "# nobody\n"])
def test_a_file_may_have_nobody_in_it(text: str) -> None:
    assert parse_yaml(text) == ([], [])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("users: [\n", 2, "expected"),
        ("user:\n  - name: a\n", 1, "unknown key"),
        ("- name: a\n", 1, "must be a map"),
        ("users: alan\n", 1, "must be a map"),
        ("users:\n  - alan\n", 2, "must be a map"),
        ("users:\n  - {}\n", 2, "no name"),
        ("users:\n  - name: a:b\n", 2, "colon"),
        ("users:\n  - name: a\n    nmae: b\n", 3, "unknown key 'nmae'"),
        ("users:\n  - name: a\n    name: b\n", 3, "twice"),
        ("users:\n  - name: a\n    enabled: maybe\n", 3, "true or false"),
        ("users:\n  - name: a\n    enabled: 'false'\n", 3, "true or false"),
        ("users:\n  - name: a\n    roles: admin\n", 3, "must be a list"),
        ("users:\n  - name: a\n    mail: [x]\n", 3, "must be text"),
        ('users:\n  - name: a\n    id: "x\\n"\n', 3, "control"),
        ('users:\n  - name: "\\uD800"\n', 2, "control"),
        ('users:\n  "\\uD800": {}\n', 2, "control"),
        ('users:\n  - name: a\n    password_hash: "\\uD800"\n', 3, "control"),
        ('users:\n  - name: a\n    display_name: "\\uD800"\n', 3, "control"),
        ('users:\n  - name: "\\UFFFFFFFF"\n', 1, "not YAML"),
        ("%YAML 1." + "9" * 5000 + "\n---\nusers: []\n", 1, "not YAML"),
        ("users:\n  - name: a\n    password_hash: geheim\n", 2, "not a bcrypt hash"),
        ("users:\n  - name: a\n  - name: A\n", 3, "line 2 already"),
        ("users:\n  - {name: a, id: x}\n  - {name: b, id: x}\n", 3, "id 'x'"),
        ("users:\n  a:\n    name: b\n", 3, "differs"),
        ("users:\n  ? [a]\n  : {}\n", 2, "must be text"),
        ("users: !!python/object:os.system {}\nx: 1\n", 2, "unknown key"),
    ],
)
def test_a_mistake_in_yaml_has_its_line(text: str, line: int, words: str) -> None:
    _, mistakes = parse_yaml(text)
    assert any(m.line == line and words in m.text for m in mistakes), mistakes
    assert "geheim" not in repr(mistakes)


def test_all_mistakes_come_at_once() -> None:
    text = "users:\n  - name: ''\n  - {name: b, nmae: x}\n  - name: c\n    roles: 1\n"
    assert [mistake.line for mistake in parse_yaml(text)[1]] == [2, 3, 5]


@given(st.text(max_size=200))
def test_any_text_is_read_or_told_to_be_wrong(text: str) -> None:
    for parse in (parse_htpasswd, parse_yaml):
        users, mistakes = parse(text)
        assert all(isinstance(user, LocalUser) for user in users)
        assert all(isinstance(mistake, Mistake) and mistake.line >= 1 for mistake in mistakes)


NODES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["users", "name", "id", "roles", "enabled", "password_hash", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(NODES)
def test_any_document_is_read_or_told_to_be_wrong(document: Any) -> None:
    users, mistakes = parse_yaml(yaml.safe_dump({"users": document}))
    assert len({folded(user.account.name) for user in users}) == len(users) or mistakes


@given(
    st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters=":#"),
            min_size=1,
            max_size=20,
        ),
        unique_by=folded,
    )
)
def test_what_was_written_is_read_back(names: list[str]) -> None:
    users, mistakes = parse_htpasswd("\n".join(f"{name}:{HASH}" for name in names))
    assert mistakes == []
    assert [user.account.name for user in users] == names
