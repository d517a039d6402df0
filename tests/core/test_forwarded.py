from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import ConfigError
from ocgate.core.forwarded import (
    Hop,
    TrustedProxies,
    client_at,
    parse_address,
    parse_forwarded,
    parse_host,
    parse_list,
    parse_proto,
)

PROXIES = TrustedProxies(["10.0.0.0/8", "fd00::/8"])

ADDRESSES = st.one_of(
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
OUTSIDE = ADDRESSES.filter(lambda text: text not in PROXIES)
INSIDE = st.ip_addresses(network="10.0.0.0/8").map(str)
JUNK = st.text(alphabet=st.characters(codec="latin-1", exclude_characters=","), max_size=40)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", None),
        ("unknown", None),
        ("_hidden", None),
        ("192.0.2.1:", None),
        ("192.0.2.1:x", None),
        ("192.0.2.01", None),
        ("[192.0.2.1]", None),
        ("[2001:db8::1", None),
        ("[2001:db8::1]443", None),
        ("fe80::1%eth0", None),
        ("192.0.2.1\n", None),
        ("٣.1.1.1", None),
    ],
)
def test_an_address_is_read_strictly(text: str, address: str | None) -> None:
    found = parse_address(text)
    assert (None if found is None else str(found)) == address


def test_trust_is_by_network() -> None:
    assert "10.1.2.3" in PROXIES
    assert "::ffff:10.1.2.3" in PROXIES
    assert "fd00::1" in PROXIES
    assert "11.0.0.1" not in PROXIES
    assert "junk" not in PROXIES
    assert PROXIES
    assert not TrustedProxies([])
    assert "127.0.0.1" not in TrustedProxies([])


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "proxy", ""])
def test_what_is_not_a_network_is_refused(network: str) -> None:
    with pytest.raises(ConfigError):
        TrustedProxies([network])


@given(
    left=st.lists(st.one_of(ADDRESSES, JUNK), max_size=6),
    client=OUTSIDE,
    right=st.lists(INSIDE, max_size=4),
)
def test_what_stands_left_of_the_client_never_matters(
    left: list[str], client: str, right: list[str]
) -> None:
    chain = [*left, client, *right]
    at = client_at(chain, PROXIES)
    assert at == len(left)


@given(st.lists(st.one_of(ADDRESSES, JUNK), max_size=8))
def test_the_client_is_an_address_with_only_proxies_on_its_right(chain: list[str]) -> None:
    at = client_at(chain, PROXIES)
    if at is None:
        assert not chain or parse_address(chain[-1]) is None
        return
    assert parse_address(chain[at]) is not None
    assert all(str(parse_address(entry)) in PROXIES for entry in chain[at + 1 :])


def test_an_entry_that_cannot_be_read_ends_the_chain() -> None:
    assert client_at(["192.0.2.1", "unknown", "10.0.0.1"], PROXIES) == 2
    assert client_at(["192.0.2.1", "10.0.0.1"], PROXIES) == 0
    assert client_at(["192.0.2.1", "unknown"], PROXIES) is None
    assert client_at([], PROXIES) is None


def test_lines_of_a_list_are_joined_and_the_right_end_counts() -> None:
    assert parse_list([b"a , b", b"c"]) == ["a", "b", "c"]
    assert parse_list([b"x" * 10_000 + b", 192.0.2.1"])[-1] == "192.0.2.1"
    assert sum(map(len, parse_list([b"1," * 100_000]))) <= 4096


@pytest.mark.parametrize(
    ("value", "hops"),
    [
        (b"for=192.0.2.1", [Hop("192.0.2.1")]),
        (
            b'For="[2001:db8::1]:80";Proto=https;HOST=a.example',
            [Hop("[2001:db8::1]:80", "https", "a.example")],
        ),
        (b"for=192.0.2.1, for=10.0.0.1;by=_x", [Hop("192.0.2.1"), Hop("10.0.0.1")]),
        (b'for=a;host="b\\"c,d", for=e', [Hop("a", "", 'b"c,d'), Hop("e")]),
        (b"for=a,, ,for=b", [Hop("a"), Hop("b")]),
        (b"for=a;for=b, for=c", [Hop("c")]),
        (b"for=a, nonsense, for=c", [Hop("c")]),
        (b'for=6.6.6.6;x=", for=192.0.2.1', [Hop("192.0.2.1")]),
        (b'for=6.6.6.6, for=", for="[2001:db8::1]"', []),
        (b"", []),
    ],
)
def test_forwarded_is_read_as_its_grammar_says(value: bytes, hops: list[Hop]) -> None:
    assert parse_forwarded([value]) == hops


@given(st.binary(max_size=60), OUTSIDE)
def test_a_client_cannot_hide_the_element_that_the_proxy_appends(junk: bytes, real: str) -> None:
    quoted = f'"[{real}]"' if ":" in real else real
    hops = parse_forwarded([junk, f"for={quoted};proto=https".encode()])
    at = client_at([hop.client for hop in hops], PROXIES)
    # Either the proxy's own word, or nothing: never what the client wrote.
    if at is not None:
        found = parse_address(hops[at].client)
        expected = parse_address(real)
        assert found == expected == (expected or ip_address(real))


@pytest.mark.parametrize(
    ("text", "proto"),
    [("https", "https"), ("HTTP", "http"), ("ftp", None), ("", None), ("https ", None)],
)
def test_a_scheme_is_http_or_https(text: str, proto: str | None) -> None:
    assert parse_proto(text) == proto


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("files.example.org", b"files.example.org"),
        ("files.example.org:8443", b"files.example.org:8443"),
        ("[2001:db8::1]:80", b"[2001:db8::1]:80"),
        ("a", b"a"),
        ("", None),
        ("a b", None),
        ("a/b", None),
        ("a@b", None),
        ("a\r\nX: y", None),
        ("a\n", None),
        ("ä.example", None),
        ("-a", None),
        ("a:", None),
        ('a"b', None),
    ],
)
def test_a_host_is_read_strictly(text: str, host: bytes | None) -> None:
    assert parse_host(text) == host
