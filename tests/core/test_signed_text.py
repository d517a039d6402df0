from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import BadRequest
from ocgate.core.signed_text import (
    MAX_CANDIDATES,
    candidates,
    canonical_query,
    has_signature,
    origins,
    parse_pairs,
    path_forms,
    without_signature,
)

SIGNED = b"OC-Credential=alan&OC-Date=2025-05-22T13%3A59%3A50Z&OC-Expires=1200&OC-Verb=GET"


def test_names_and_values_are_decoded_and_empty_pairs_left_out() -> None:
    assert parse_pairs(b"&a=1&&b%20c=d+e&flag&=v&x=y=z&") == [
        (b"a", b"1"),
        (b"b c", b"d e"),
        (b"flag", b""),
        (b"", b"v"),
        (b"x", b"y=z"),
    ]


@pytest.mark.parametrize("pair", [b"a=1;b=2", b";", b"a=%", b"a=%z1", b"%1=a", b"a=%1"])
def test_a_pair_without_a_single_meaning_is_refused(pair: bytes) -> None:
    assert parse_pairs(b"a=1%3Bb=2") == [(b"a", b"1;b=2")]
    with pytest.raises(BadRequest):
        parse_pairs(b"ok=1&" + pair)


def test_the_canonical_query_sorts_by_name_and_keeps_the_order_of_values() -> None:
    query = b"b=2&OC-Algo=x&a=2&OC-Signature=0&a=1&B=%ff&q=-_.~!*/%20&flag&" + SIGNED
    assert canonical_query(parse_pairs(query)) == (
        b"B=%FF&a=2&a=1&b=2&flag=&q=-_.~%21%2A%2F+&" + SIGNED
    )


def test_a_signature_is_found_in_any_spelling_of_its_name() -> None:
    assert has_signature(b"a=1&OC-Signature=0")
    assert has_signature(b"OC%2DSignature=0")
    assert not has_signature(b"xOC-Signature=0&oc-signature=0&a=OC-Signature=0")


def test_only_the_parameters_of_the_signature_are_taken_out() -> None:
    query = b"a=%7e&" + SIGNED + b"&OC-Algo=x&&OC%2DVerb=GET&b=x+y&OC-Other=1&OC-Signature=0"
    assert without_signature(query) == b"a=%7e&&b=x+y&OC-Other=1"
    assert without_signature(SIGNED + b"&OC-Signature=0") == b""


def test_a_path_is_spelt_as_clients_and_proxies_spell_it() -> None:
    forms = dict(path_forms(b"/a%20b/$%5bx]%24(%27%2B,)/%C3%bc/"))
    assert forms == {
        "as_received": b"/a%20b/$%5bx]%24(%27%2B,)/%C3%bc/",
        "reserved_encoded": b"/a%20b/%24%5bx%5D%24(%27%2B,)/%C3%bc/",
        "reserved_literal": b"/a%20b/$[x]$(%27%2B,)/%C3%bc/",
        "encode_uri": b"/a%20b/$%5Bx%5D$('+,)/%C3%BC/",
        "encode_uri_component": b"/a%20b/%24%5Bx%5D%24('%2B%2C)/%C3%BC/",
    }


def test_no_spelling_changes_what_is_a_segment_or_where_the_path_ends() -> None:
    for _, spelling in path_forms(b"/a%2Fb%3Fc%23d%25e/f"):
        assert spelling == b"/a%2Fb%3Fc%23d%25e/f"


@given(st.binary(max_size=40).map(lambda tail: b"/" + tail.replace(b"?", b"").replace(b"%", b"$")))
def test_every_spelling_decodes_to_the_same_segments(path: bytes) -> None:
    segments = [unquote_to_bytes(segment) for segment in path.split(b"/")]
    for _, spelling in path_forms(path):
        assert [unquote_to_bytes(segment) for segment in spelling.split(b"/")] == segments


def test_the_public_origin_comes_first_then_the_host_then_the_forwarded_one() -> None:
    assert origins(
        public=b"https://cloud.example", host=b"gate:9200", scheme="http", forwarded=b"http://f"
    ) == (
        ("public", b"https://cloud.example"),
        ("host", b"https://gate:9200"),
        ("plain_host", b"http://gate:9200"),
        ("forwarded", b"http://f"),
    )
    assert origins(public=None, host=b"h", scheme="https", forwarded=None) == (
        ("host", b"https://h"),
    )
    assert origins(public=None, host=b"", scheme="http", forwarded=None) == ()


@pytest.mark.parametrize(
    "host",
    [b"CLOUD.example", b"cloud.example:443", b"127.0.0.1:9200", b"[::1]:9200", b"localhost",
     b"ocgate:9200", b"gate.cluster.local", b""],
)  # fmt: skip
def test_the_public_origin_counts_behind_a_proxy_that_writes_its_own_host(host: bytes) -> None:
    found = origins(public=b"https://cloud.example", host=host, scheme="https", forwarded=None)
    assert found[0] == ("public", b"https://cloud.example")


@pytest.mark.parametrize("host", [b"evil.example", b"cloud.example.evil.example", b"1.2.3.4.de"])
def test_the_public_origin_does_not_count_for_another_public_name(host: bytes) -> None:
    public = b"https://cloud.example"
    found = origins(public=public, host=host, scheme="https", forwarded=None)
    assert found == (("host", b"https://" + host),)
    told = origins(public=public, host=host, scheme="https", forwarded=b"https://other.example")
    assert told[0] == ("public", public)


def test_candidates_are_different_and_at_most_eight() -> None:
    seen_at = origins(public=b"https://p", host=b"h", scheme="http", forwarded=b"https://h")
    plain = candidates(b"/plain", b"q", seen_at)
    assert [candidate.text for candidate in plain] == [
        b"https://p/plain?q",
        b"https://h/plain?q",
        b"http://h/plain?q",
    ]
    odd = candidates(b"/$%5b'%2B", b"q", seen_at)
    assert len(odd) == MAX_CANDIDATES == len({candidate.text for candidate in odd})


def test_what_fitted_last_is_tried_first() -> None:
    seen_at = origins(public=b"https://p", host=b"h", scheme="https", forwarded=None)
    usual = candidates(b"/$", b"q", seen_at)
    preferred = candidates(b"/$", b"q", seen_at, prefer=("host", "reserved_encoded"))
    assert usual[0].text == b"https://p/$?q"
    assert preferred[0].text == b"https://h/%24?q"
    assert sorted(c.text for c in usual) == sorted(c.text for c in preferred)
    assert candidates(b"/a", b"q", seen_at, prefer=("host", "encode_uri"))[0].origin == "host"
    assert candidates(b"/$", b"q", seen_at, prefer=("gone", "as_received")) == usual
