import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import ConfigError, Forbidden
from ocgate.core.header_names import HeaderFamily
from ocgate.core.identity import Account, Principal
from ocgate.core.identity_headers import (
    IDENTITY_FAMILY,
    IdentityHeaderNames,
    identity_headers,
)

NAMES = IdentityHeaderNames(roles="X-Remote-Roles")


def of(**fields: object) -> Principal:
    account = {"id": "4c51", "name": "alan", **fields}
    return Principal(Account(**account), "basic")  # type: ignore[arg-type]


def test_an_account_is_told_by_configured_names() -> None:
    principal = of(
        display_name="Alan Türing", mail="alan@example.org", groups=("a", "b"), roles=("user",)
    )
    assert identity_headers(principal, NAMES) == [
        (b"x-remote-user", b"alan"),
        (b"x-remote-user-id", b"4c51"),
        (b"x-remote-name", "Alan Türing".encode()),
        (b"x-remote-email", b"alan@example.org"),
        (b"x-remote-groups", b"a,b"),
        (b"x-remote-roles", b"user"),
    ]


def test_an_empty_name_sends_nothing() -> None:
    nothing = IdentityHeaderNames("", "", "", "", "", "")
    assert identity_headers(of(display_name="x"), nothing) == []
    assert identity_headers(of(), IdentityHeaderNames(user_id="")) == [(b"x-remote-user", b"alan")]


@pytest.mark.parametrize(
    "name", ["a\r\nX-Remote-User: root", "a\0", " a", "a ", "", "a\x85", "\ud800", "a\u00a0"]
)
def test_a_name_that_would_arrive_as_another_is_refused(name: str) -> None:
    with pytest.raises(Forbidden):
        identity_headers(of(name=name), NAMES)
    with pytest.raises(Forbidden):
        identity_headers(of(id=name), NAMES)


def test_a_group_that_would_arrive_as_two_is_left_out() -> None:
    found = dict(identity_headers(of(groups=("a,admin", "b\n", "c")), NAMES))
    assert found[b"x-remote-groups"] == b"c"


def test_control_characters_of_a_display_name_become_spaces() -> None:
    found = dict(identity_headers(of(display_name="A\r\nB"), NAMES))
    assert found[b"x-remote-name"] == b"A  B"


@given(st.text(), st.text(), st.lists(st.text()))
def test_no_value_can_end_its_line(name: str, display_name: str, groups: list[str]) -> None:
    principal = of(name=name, display_name=display_name, groups=tuple(groups))
    try:
        headers = identity_headers(principal, NAMES)
    except Forbidden:
        return
    assert (b"x-remote-user", name.encode()) in headers
    for _, value in headers:
        assert not set(value) & {0, 10, 13}
        assert value == value.strip()


def test_a_name_that_is_no_header_is_refused() -> None:
    for name in ("X Remote", "X-Remote:", "Ü"):
        with pytest.raises(ConfigError):
            IdentityHeaderNames(user=name)


def test_what_is_set_at_the_exit_is_stripped_at_the_door() -> None:
    family = HeaderFamily(IDENTITY_FAMILY)
    for name in (NAMES.user, NAMES.user_id, NAMES.display_name, NAMES.mail, NAMES.groups):
        assert family[name.encode()]
    for other in (b"authorization", b"cookie", b"x-requested-with", b"oc-checksum", b"remote"):
        assert not family[other]
