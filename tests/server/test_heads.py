import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.server.heads import UNFRAMED, Head, parse_head
from ocgate.server.limits import Limits
from ocgate.server.refusals import Refused

HOST = (b"host", b"h:9200")
LIMITS = Limits()


def parsed(
    *headers: tuple[bytes, bytes],
    method: bytes = b"GET",
    target: bytes = b"/a",
    version: str = "1.1",
) -> Head:
    return parse_head(method, target, version, [HOST, *headers], LIMITS)


names = st.sampled_from(
    [b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"x"]
)
values = st.binary(max_size=12) | st.sampled_from(
    [b"h", b"chunked", b"3", b"100-continue", b"websocket", b"[::1]:80", b"\xb2", b"1_0"]
)
targets = st.binary(max_size=20) | st.builds(
    b"".join, st.lists(st.sampled_from([b"http://", b"h", b"/", b"?", b"#", b"*", b"@", b":"]))
)


@given(
    method=st.sampled_from([b"GET", b"OPTIONS", b"CONNECT"]),
    target=targets,
    version=st.sampled_from(["1.1", "1.0", "2.0", "0.9"]),
    headers=st.lists(st.tuples(names, values), max_size=5),
)
def test_any_bytes_are_a_head_or_refused(
    method: bytes, target: bytes, version: str, headers: list[tuple[bytes, bytes]]
) -> None:
    try:
        head = parse_head(method, target, version, headers, LIMITS)
    except Refused:
        return
    query = b"?" + head.query if head.query or head.has_empty_query else b""
    assert target.endswith((head.raw_path + query, query))
    assert head.raw_path.startswith(b"/") or head.raw_path == b"*"
    assert head.length >= UNFRAMED


@pytest.mark.parametrize(
    ("target", "origin", "raw_path", "query", "has_empty_query"),
    [
        (b"/", b"", b"/", b"", False),
        (b"/a?b=c?d", b"", b"/a", b"b=c?d", False),
        (b"/a?", b"", b"/a", b"", True),
        (b"//a", b"", b"//a", b"", False),
        (b"http://h:9200/a?b", b"http://h:9200", b"/a", b"b", False),
        (b"HTTPS://H:9200", b"https://H:9200", b"/", b"", False),
        (b"https://h:9200?", b"https://h:9200", b"/", b"", True),
    ],
)
def test_a_target_is_taken_apart_and_nothing_of_it_is_lost(
    target: bytes, origin: bytes, raw_path: bytes, query: bytes, has_empty_query: bool
) -> None:
    head = parsed(target=target)
    assert (head.origin, head.raw_path, head.query) == (origin, raw_path, query)
    assert head.has_empty_query is has_empty_query


@pytest.mark.parametrize(
    "target", [b"http://h/", b"http://u@h:9200/", b"h:9200", b"", b"*", b"/a#b", b"/\xc3\xbc"]
)
def test_a_target_that_is_not_on_this_host_is_refused(target: bytes) -> None:
    with pytest.raises(Refused):
        parsed(target=target)


def test_an_asterisk_is_for_options() -> None:
    assert parsed(method=b"OPTIONS", target=b"*").raw_path == b"*"


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ([], 0),
        ([(b"content-length", b"0")], 0),
        ([(b"content-length", b"0012")], 12),
        ([(b"transfer-encoding", b"Chunked")], UNFRAMED),
    ],
)
def test_the_length_of_a_body_is_known_or_it_is_chunked(
    headers: list[tuple[bytes, bytes]], length: int
) -> None:
    assert parsed(*headers).length == length


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"1, 1")],
        [(b"content-length", b"9" * 16)],
        [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"gzip, chunked")],
        [HOST],
    ],
)
def test_an_ambiguous_head_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Refused):
        parsed(*headers)


def test_only_http_1_1_waits_for_100_continue() -> None:
    expect = (b"expect", b"100-Continue")
    assert parsed(expect).expects_continue
    assert not parsed(expect, version="1.0").expects_continue
    assert not parsed().expects_continue


def test_the_number_of_fields_is_bounded() -> None:
    fields = [(b"x", b"y")] * (LIMITS.header_count - 1)
    assert parsed(*fields).length == 0
    with pytest.raises(Refused) as refused:
        parsed(*fields, (b"x", b"y"))
    assert refused.value.status == 431
