import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocgate.directory.passwords import decoy_hash, is_bcrypt, password_matches

HASH = bcrypt.hashpw(b"geheim", bcrypt.gensalt(4))


def test_the_right_password_matches_and_another_does_not() -> None:
    assert password_matches(b"geheim", HASH)
    assert not password_matches(b"Geheim", HASH)


@pytest.mark.parametrize("prefix", [b"$2a$", b"$2b$", b"$2y$"])
def test_every_name_of_bcrypt_is_the_same_function(prefix: bytes) -> None:
    stored = prefix + HASH[4:]
    assert is_bcrypt(stored)
    assert password_matches(b"geheim", stored)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"geheim",
        b"$2x$" + HASH[4:],
        HASH[:-1],
        HASH + b"a",
        HASH + b"\n",
        b"$2b$03$" + HASH[7:],
        b"$2b$32$" + HASH[7:],
        b"$apr1$abc$def",
        b"{SHA}x",
    ],
)
def test_everything_else_is_no_bcrypt_hash(text: bytes) -> None:
    assert not is_bcrypt(text)


def test_72_bytes_are_a_password_and_73_are_none() -> None:
    longest = b"x" * 72
    stored = bcrypt.hashpw(longest, bcrypt.gensalt(4))
    assert password_matches(longest, stored)
    assert not password_matches(longest + b"y", stored)


def test_a_nul_ends_no_password_and_nothing_is_no_password() -> None:
    assert not password_matches(b"geheim\0", HASH)
    assert not password_matches(b"geheim\0x", HASH)
    assert not password_matches(b"", bcrypt.hashpw(b"", bcrypt.gensalt(4)))


def test_what_is_refused_before_bcrypt_still_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []

    def check(password: bytes, stored: bytes) -> bool:
        checked.append(stored)
        return True

    monkeypatch.setattr(bcrypt, "checkpw", check)
    for password in (b"", b"x" * 73, b"a\0"):
        assert not password_matches(password, HASH)
    assert checked == [HASH] * 3


@settings(max_examples=25)
@given(st.text(max_size=20))
def test_a_decoy_costs_the_same_and_fits_nothing(name: str) -> None:
    decoy = decoy_hash(HASH, name)
    assert is_bcrypt(decoy)
    assert decoy[:7] == HASH[:7]
    assert decoy == decoy_hash(HASH, name)
    assert not password_matches(b"-", decoy)
    assert not password_matches(name.encode(errors="replace"), decoy)
