import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.basic_password import MALFORMED, BasicPassword
from ocgate.core.identity import Rejection

PRINTABLE = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=40)


def encoded(pair: bytes) -> bytes:
    return b"Basic " + base64.b64encode(pair)


@given(name=PRINTABLE.filter(lambda text: ":" not in text), password=PRINTABLE)
def test_what_rfc_7617_writes_is_read_back(name: str, password: str) -> None:
    found = BasicPassword.parse(encoded(f"{name}:{password}".encode()))
    assert found == BasicPassword(name, password.encode())


def test_the_examples_of_the_rfc() -> None:
    found = BasicPassword.parse(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert found == BasicPassword("Aladdin", b"open sesame")
    assert BasicPassword.parse(b"Basic dGVzdDoxMjPCow==") == BasicPassword("test", "123£".encode())


def test_the_first_colon_splits_and_the_scheme_has_no_case() -> None:
    assert BasicPassword.parse(encoded(b"a:b:c")) == BasicPassword("a", b"b:c")
    assert BasicPassword.parse(b"bAsIc " + base64.b64encode(b"a:b")) == BasicPassword("a", b"b")
    assert BasicPassword.parse(b"Basic  " + base64.b64encode(b"a:b")) == BasicPassword("a", b"b")


@pytest.mark.parametrize("value", [b"", b"Bearer abc", b"Basicx QTpi", b"Digest username=x"])
def test_another_scheme_is_not_ours(value: bytes) -> None:
    assert BasicPassword.parse(value) is None


@pytest.mark.parametrize(
    "value",
    [
        b"Basic",
        b"Basic ",
        b"Basic QTpi=",
        b"Basic QTpiYw",
        b"Basic QTpiYw=",
        b"Basic QTpiYx==",
        b"Basic QTpi QTpi",
        b"Basic QT\npi",
        b"Basic QTpi, Basic QTpi",
        b"Basic QT-_",
        encoded(b"nocolon"),
        encoded(b"a\0:b"),
        encoded(b"a:b\0c"),
        encoded(b"a:b\n"),
        encoded(b"a:\x7f"),
        encoded(b"a:\xff"),
        encoded(b"a:" + b"x" * 10_000),
    ],
)
def test_what_the_rfc_does_not_allow_is_malformed(value: bytes) -> None:
    assert BasicPassword.parse(value) is MALFORMED


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(value: bytes) -> None:
    for authorization in (value, b"Basic " + value, encoded(value)):
        found = BasicPassword.parse(authorization)
        assert found is None or isinstance(found, BasicPassword | Rejection)


def test_the_password_stays_out_of_the_representation() -> None:
    assert "geheim" not in repr(BasicPassword("alan", b"geheim"))
