import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import ConfigError
from ocgate.core.header_names import HeaderFamily, folded_name

FAMILY = ("X-Remote-User", "X-Auth-Request-*")


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        (b"x-remote-user", True),
        (b"x_remote_user", True),
        (b"x.remote-user", True),
        (b"X-Remote_User", True),
        (b"x-remote-user-2", False),
        (b"x-remote", False),
        (b"x-auth-request-email", True),
        (b"x_auth_request_email", True),
        (b"x-auth-request", False),
        (b"host", False),
        (b"", False),
    ],
)
def test_a_name_belongs_however_it_is_spelt(name: bytes, belongs: bool) -> None:
    family = HeaderFamily(FAMILY)
    assert family[name] is belongs
    assert family[name] is belongs, "the remembered answer is the same"


def test_headers_outside_the_family_stay_as_they_are_and_in_order() -> None:
    family = HeaderFamily(FAMILY)
    clean = [(b"host", b"a"), (b"accept", b"*/*")]
    assert family.without(clean) is clean
    mixed = [clean[0], (b"x_remote_user", b"root"), clean[1], (b"x-auth-request-user", b"root")]
    assert family.without(mixed) == clean
    assert len(mixed) == 4


@pytest.mark.parametrize("pattern", ["*", "", "X Remote", "X-*-User", "Ünï", "a:b", "a\n"])
def test_a_pattern_that_cannot_match_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError):
        HeaderFamily([pattern])


def test_no_names_is_an_empty_family() -> None:
    assert HeaderFamily([])[b"x-remote-user"] is False


def test_what_is_remembered_is_bounded() -> None:
    family = HeaderFamily(FAMILY)
    for n in range(3000):
        assert family[b"x-auth-request-%d" % n] is True
        assert family[b"junk-%d" % n] is False
    assert family[b"j" * 100_000] is False
    assert len(family) <= 1024
    assert max(map(len, family)) <= 64


@given(st.binary(max_size=80))
def test_folding_decides_membership_alone(name: bytes) -> None:
    family = HeaderFamily(FAMILY)
    assert family[name] is family[folded_name(name)]
