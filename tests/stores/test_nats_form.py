import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.stores.nats_form import Envelope, name_of, nats_key

USER_ID = "4c510ada-c86b-4815-8820-42cdf82c3d51"

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100)


def test_a_signing_key_has_the_key_and_the_value_of_the_family() -> None:
    # Computed with Go 1.26: base32.StdEncoding and json.Marshal of the plugin's envelope.
    key = "ONUWO3TJNZTS223FPFZV6NDDGUYTAYLEMEWWGOBWMIWTIOBRGUWTQOBSGAWTIMTDMRTDQMTDGNSDKMI="
    value = b'{"key":"4c510ada-c86b-4815-8820-42cdf82c3d51","data":"a2V5AP8=","metadata":null}'
    assert nats_key("signing-keys", USER_ID.encode()) == key
    assert name_of("signing-keys", key) == USER_ID
    assert Envelope(USER_ID, b"key\x00\xff").dump() == value
    assert Envelope.load(value) == Envelope(USER_ID, b"key\x00\xff")


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ('a"b\\c/d<>&', r'"a\"b\\c/d\u003c\u003e\u0026"'),
        ("\u2028\u2029\ufeffä😀", '"\\u2028\\u2029\ufeffä😀"'),
        ("\x00\x08\t\n\x0c\r\x1f\x7f", '"\\u0000\\b\\t\\n\\f\\r\\u001f\x7f"'),
    ],
)
def test_text_is_escaped_as_go_does(name: str, written: str) -> None:
    expected = f'{{"key":{written},"data":"","metadata":null}}'
    assert Envelope(name, b"").dump().decode() == expected


def test_an_end_of_its_own_stands_in_the_metadata() -> None:
    envelope = Envelope("n", b"v", 1_700_000_000.25)
    assert json.loads(envelope.dump()) == {
        "key": "n",
        "data": "dg==",
        "metadata": {"ocgate-expires-at": "2023-11-14T22:13:20.250+00:00"},
    }
    assert Envelope.load(envelope.dump()) == envelope


def test_what_the_family_may_write_is_read() -> None:
    assert Envelope.load(b'{"key":"n","data":null,"metadata":{}}') == Envelope("n", b"")
    assert Envelope.load(b'{"key":"n","data":"dg==","metadata":{"a":[1]}}') == Envelope("n", b"v")
    assert Envelope.load(b'{"data":"dg==","key":"n"}') == Envelope("n", b"v")


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"\xff", b"null", b"[]", b"1", b'"x"', b"{}", b'{"key":"n"}', b"[" * 100_000),
        *(b'{"key":"n","data":"no base64!"}', b'{"key":"n","data":7}'),
        *(b'{"key":"n","data":"","metadata":3}', b'{"key":"n","data":"dg==","metadata":["a"]}'),
        *(
            b'{"key":"n","data":"","metadata":{"ocgate-expires-at":%b}}' % end
            for end in (b"1", b'"soon"', b"{}")
        ),
    ],
)
def test_what_is_no_envelope_is_a_value_error(value: bytes) -> None:
    with pytest.raises(ValueError):
        Envelope.load(value)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["key", "data", "metadata", "ocgate-expires-at"]), inner
            )
        ),
    ).map(lambda found: json.dumps(found).encode())
)
def test_no_value_is_another_error(value: bytes) -> None:
    with contextlib.suppress(ValueError):
        Envelope.load(value)


@given(TEXT, st.binary())
def test_envelopes_and_keys_come_back(name: str, data: bytes) -> None:
    assert Envelope.load(Envelope(name, data).dump()) == Envelope(name, data)
    assert name_of("table", nats_key("table", name.encode())) == name


@pytest.mark.parametrize("key", ["", "not base32", "ONUWO3TJ", nats_key("other", b"n"), "MFRGG==="])
def test_the_keys_of_others_are_nobody(key: str) -> None:
    assert name_of("signing-keys", key) is None


def test_a_key_without_a_name_or_of_broken_utf8_is_nobody() -> None:
    assert name_of("t", nats_key("t", b"")) is None
    assert name_of("t", base64.b32encode(b"t_\xff").decode()) is None
