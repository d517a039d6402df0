import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from ocgate.core.errors import BadRequest
from ocgate.core.header_names import folded_name
from ocgate.upstream.mapping import AddressMap
from ocgate.upstream.origin import Origin
from ocgate.upstream.outgoing_request import OutgoingRequest
from ocgate.upstream.request_heads import HeadersFor, RequestHeads

ADDRESS = AddressMap(Origin.parse("http://backend"))


def heads(headers_for: HeadersFor | None = None) -> RequestHeads:
    return RequestHeads(strip=["X-Remote-*"], headers_for=headers_for, forward_authorization=False)


def scope(*headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "raw_path": b"/a",
        "query_string": b"",
        "scheme": "https",
        "client": ("192.0.2.1", 1),
        "headers": [(b"host", b"gate"), *headers],
        **more,
    }


def read(*headers: tuple[bytes, bytes], **more: Any) -> OutgoingRequest:
    return heads().read(scope(*headers, **more))


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"+1")],
        [(b"content-length", b"1_0")],
        [(b"content-length", b"\xd9\xa1")],
        [(b"content-length", b"")],
        [(b"transfer-encoding", b"gzip, chunked")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"chunked"), (b"content-length", b"1")],
        [(b"host", b"other")],
        [(b"destination", b"/a"), (b"destination", b"/b")],
        [(b"a b", b"")],
        [(b"a\r\nb", b"")],
        [(b"", b"")],
    ],
)
def test_an_ambiguous_request_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(BadRequest):
        read(*headers)


def test_a_request_has_one_framing() -> None:
    assert not read().has_body
    assert not read((b"content-length", b"0")).has_body
    assert read((b"content-length", b"7")).length == 7
    assert read((b"transfer-encoding", b"Chunked")).chunked


def test_only_requests_that_change_nothing_are_repeatable() -> None:
    assert read().repeatable
    assert read(method="PROPFIND").repeatable
    assert not read((b"content-length", b"7"), method="PROPFIND").repeatable
    assert not read(method="DELETE").repeatable


def test_expect_is_passed_on_only_with_a_body() -> None:
    expect = (b"expect", b"100-Continue")
    assert read(expect, (b"content-length", b"7")).expects_continue
    assert not read(expect).expects_continue
    assert not read((b"expect", b"else"), (b"content-length", b"7")).expects_continue


def test_the_forwarding_fields_say_what_the_gate_knows() -> None:
    request = read(**{"ocgate.forwarded_origin": b"https://public:444"})
    assert request.fields == [
        b"x-forwarded-proto: https",
        b"x-forwarded-for: 192.0.2.1",
        b"x-forwarded-host: public:444",
        b'forwarded: for=192.0.2.1;proto=https;host="public:444"',
    ]
    assert b'forwarded: for="[2001:db8::1]";proto=https;host="gate"' in (
        read(client=("2001:db8::1", 1)).fields
    )
    assert b'forwarded: for=unknown;proto=https;host="gate"' in read(client=None).fields


def test_long_hosts_are_not_remembered() -> None:
    """A head may have 64 KiB of host; a thousand of them would be 200 MB."""
    reader = heads()
    tracemalloc.start()
    try:
        for number in range(200):
            host = b"%d" % number + b"x" * 50_000
            request = reader.read(scope(headers=[(b"host", host)]))
            assert b"x-forwarded-host: " + host in request.fields
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 1_000_000
    with pytest.raises(BadRequest):
        heads().read({**scope(), "headers": [(b"host", b'a";for=6.6.6.6')]})


def test_what_is_ours_once_is_never_taken_from_a_client_again() -> None:
    mine: list[tuple[bytes, bytes]] = []

    def whose(scope: Scope) -> list[tuple[bytes, bytes]]:
        return mine

    reader = heads(whose)
    assert b"x-mine: theirs" in reader.read(scope((b"x-mine", b"theirs"))).fields
    mine.append((b"x-mine", b"ours"))
    seen = reader.read(scope((b"x-mine", b"theirs"), (b"x_mine", b"theirs")))
    assert [f for f in seen.fields if b"mine" in f] == [b"x-mine: ours"]
    mine.clear()
    seen = reader.read(scope((b"x-mine", b"theirs"), (b"x_mine", b"theirs")))
    assert not [f for f in seen.fields if b"mine" in f]


NAMES = st.binary(min_size=1, max_size=12) | st.sampled_from(
    [b"X_Remote.User", b"x-remote-user", b"Connection", b"TE", b"x-forwarded-for", b"upgrade"]
)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=20))), st.binary(), st.binary())
def test_no_header_can_end_a_line_or_name_somebody(
    headers: list[tuple[bytes, bytes]], path: bytes, query: bytes
) -> None:
    try:
        request = read(*headers, raw_path=b"/" + path, query_string=query)
        head = request.head(ADDRESS)
    except BadRequest:
        return
    assert head.endswith(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    assert first.count(b" ") == 2
    for line in lines:
        assert b"\n" not in line
        assert b"\r" not in line
        name = folded_name(line.partition(b":")[0])
        assert name not in (b"x-remote-user", b"connection", b"te", b"upgrade")
    assert sum(line.startswith(b"x-forwarded-for:") for line in lines) == 1
