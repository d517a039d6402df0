import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import BadRequest
from ocgate.core.targets import (
    ForeignDestination,
    Target,
    parse_destination,
    parse_target,
    readings,
    within,
)

REFUSED = [
    (b"", "empty"),
    (b"*", "asterisk form"),
    (b"a/b", "no slash at the start"),
    (b"http://h/a", "absolute form"),
    (b"/..", "parent"),
    (b"/a/..", "parent at the end"),
    (b"/a/../b", "parent in the middle"),
    (b"/public../../b", "parent after a segment that ends in dots"),
    (b"/a/%2e%2e/b", "escaped parent"),
    (b"/a/.%2E/b", "half-escaped parent"),
    (b"/a/%2e./b", "half-escaped parent"),
    (b"/a/..;/b", "parent with parameters"),
    (b"/a/..;x=1/b", "parent with parameters"),
    (b"/a/..%3b/b", "parent with an escaped semicolon"),
    (b"/a/%2e%2e%3Bx", "all escaped"),
    (b"/a/..%2fb", "parent before an escaped slash"),
    (b"/a/..%5cb", "parent before an escaped backslash"),
    (b"/a/..\\b", "parent before a backslash"),
    (b"/a\\b", "backslash"),
    (b"/a%5Cb", "escaped backslash"),
    (b"/a%2Fb", "escaped slash"),
    (b"/a%00", "NUL"),
    (b"/a%0d%0aX:%20y", "line break"),
    (b"/a%1f", "control character"),
    (b"/a%7F", "DEL"),
    (b"/a\x00", "raw NUL"),
    (b"/a\tb", "raw tab"),
    (b"/a b", "raw space"),
    (b"/a#b", "fragment"),
    (b"/a?b", "a query is not part of the path"),
    ("/ä".encode(), "raw UTF-8"),
    (b"/\xff", "raw byte"),
    (b"/%", "broken escape"),
    (b"/%4", "broken escape"),
    (b"/%zz", "broken escape"),
    (b"/%u002e", "broken escape"),
    (b"/100%.txt", "a percent sign that is not escaped"),
    (b"/%c0%ae%c0%ae/", "overlong UTF-8"),
    (b"/%e4", "Latin-1"),
    (b"/%ED%A0%80", "surrogate"),
    (b"/%252e%252e/", "parent escaped twice"),
    (b"/a/%25%32%65%252e/b", "parent escaped twice in pieces"),
    (b"/a/..%252fb", "slash escaped twice"),
    (b"/a%255cb", "backslash escaped twice"),
    (b"/a%2500", "NUL escaped twice"),
    (b"/a%250a", "line feed escaped twice"),
    (b"/a%2525", "percent sign escaped twice"),
    (b"/%2570rivate", "letter escaped twice"),
    (b"/a/..%253b", "semicolon escaped twice"),
    (b"/%25c0%25ae", "overlong UTF-8 escaped twice"),
]

AWKWARD_NAMES = [
    "with space.txt",
    "ümläut ß é.txt",
    "日本語 文字.txt",
    "100%.txt",
    "50% off",
    "a%20b.txt",
    "c#sharp?.txt",
    "dollar $ [brackets] {braces}.txt",
    "a+b & c's; d=e, f@g:h!.txt",
    '(parens) ~tilde~ ^caret^ `tick` |pipe| <lt> "quote"',
    ".hidden",
    "...",
    "..two dots",
    "two..dots",
    "ends with dots..",
    "😀.png",
]


@pytest.mark.parametrize(("raw_path", "why"), REFUSED)
def test_a_path_that_could_mean_something_else_is_refused(raw_path: bytes, why: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_target(raw_path, b"")
    assert refusal.value.status == 400, why


@pytest.mark.parametrize("name", AWKWARD_NAMES)
@pytest.mark.parametrize("left_alone", ["", "/$[]+&';,=:@!()*~"])
def test_every_file_name_that_a_client_may_send_passes(name: str, left_alone: str) -> None:
    raw_path = b"/dav/" + quote(name, safe=left_alone).encode()
    target = parse_target(raw_path, b"x=1")
    assert (target.raw_path, target.query) == (raw_path, b"x=1")
    assert readings(target)[0] == target.folded
    assert all(within(path, b"/dav") for path in readings(target))


@pytest.mark.parametrize(
    ("raw_path", "folded"),
    [
        (b"/", b"/"),
        (b"//", b"/"),
        (b"/.", b"/"),
        (b"/./", b"/"),
        (b"/a//b", b"/a/b"),
        (b"//a/./b", b"/a/b"),
        (b"/a/%2e/b", b"/a/b"),
        (b"/a/", b"/a/"),
        (b"/a/.", b"/a/"),
        (b"/a//", b"/a/"),
        (b"/%61%2D%7e", b"/a-~"),
        (b"/%24%5b%5D%3b%2b%26%27", b"/$[];+&'"),
        (b"/%c3%a4%20%23%3f%25", b"/%C3%A4%20%23%3F%25"),
        (b"/.hidden", b"/.hidden"),
    ],
)
def test_equal_paths_fold_alike(raw_path: bytes, folded: bytes) -> None:
    target = parse_target(raw_path, b"")
    assert target.folded == folded
    assert target.raw_path == raw_path
    assert readings(target)[0] == folded


@pytest.mark.parametrize("query", [b"a b", b"a#b", b"a\x00", b"a\nb", "ä".encode(), b"\x7f"])
def test_a_query_with_bytes_that_no_url_has_is_refused(query: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_target(b"/", query)


@pytest.mark.parametrize("query", [b"", b"a=%00&b=%zz", b"a/../b?c\\d", b"q=100%"])
def test_a_query_is_not_decoded(query: bytes) -> None:
    assert parse_target(b"/", query).query == query


def test_the_message_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_target(b"/<script>%zz", b"")
    assert "script" not in str(refusal.value)


def test_an_escaped_slash_passes_where_it_is_allowed() -> None:
    target = parse_target(b"/public/a%2fb%5cc", b"", allow_encoded_slash=True)
    assert target.folded == b"/public/a%2Fb%5Cc"
    assert b"/public/a/b/c" in readings(target)


@pytest.mark.parametrize("raw_path", [b"/a%2f..%2fb", b"/a%5c..", b"/a/..%2f", b"/a%252f..%252f"])
def test_an_escaped_slash_never_hides_a_parent_segment(raw_path: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_target(raw_path, b"", allow_encoded_slash=True)


@pytest.mark.parametrize(
    ("path", "prefix", "expected"),
    [
        (b"/public", b"/public", True),
        (b"/public/", b"/public", True),
        (b"/public/x", b"/public/", True),
        (b"/publicity", b"/public", False),
        (b"/publi", b"/public", False),
        (b"/Public", b"/public", False),
        (b"/", b"/", True),
        (b"/x", b"/", True),
        (b"/public/../x", b"/private", False),
    ],
)
def test_a_prefix_matches_whole_segments(path: bytes, prefix: bytes, expected: bool) -> None:
    assert within(path, prefix) is expected


@pytest.mark.parametrize(
    ("raw_path", "also"),
    [
        (b"/private;x/a", b"/private/a"),
        (b"/private%3Bx/a", b"/private/a"),
        (b"//private/a", b"//private/a"),
        (b"/my%2520files", b"/my%20files"),
    ],
)
def test_every_reading_of_an_ambiguous_path_is_known(raw_path: bytes, also: bytes) -> None:
    assert also in readings(parse_target(raw_path, b""))


def test_an_ordinary_path_has_one_reading() -> None:
    assert readings(parse_target(b"/a/b%20c", b"")) == (b"/a/b%20c",)


@pytest.mark.parametrize(
    "value",
    [
        b"/dav/b%20c",
        b"http://gate.example/dav/b%20c",
        b"https://gate.example/dav/b%20c",
        b"HTTPS://GATE.example:443/dav/b%20c",
        b"http://gate.example:80/dav/b%20c",
        b"https://files.example.org/dav/b%20c",
    ],
)
def test_a_destination_on_this_server_is_taken(value: bytes) -> None:
    target = parse_destination(
        value, host=b"gate.example", origins=[b"https://files.example.org:443"]
    )
    assert target == Target(b"/dav/b%20c", b"", b"/dav/b%20c")


def test_a_destination_without_a_path_is_the_root() -> None:
    assert parse_destination(b"http://h:81?q", host=b"h:81") == Target(b"/", b"q", b"/")


@pytest.mark.parametrize(
    "value",
    [
        b"http://other.example/a",
        b"http://gate.example:81/a",
        b"http://gate.example.evil/a",
        b"http://files.example.org/a",
        b"https://files.example.org:8443/a",
    ],
)
def test_a_destination_on_another_server_is_a_502(value: bytes) -> None:
    with pytest.raises(ForeignDestination) as refusal:
        parse_destination(value, host=b"gate.example", origins=[b"https://files.example.org"])
    assert refusal.value.status == 502


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"a/b",
        b"*",
        b"//gate.example/a",
        b"ftp://gate.example/a",
        b"http:/gate.example/a",
        b"http:///a",
        b"http://gate.example@evil.example/a",
        b"http://user@gate.example/a",
        b"http://gate.example\\@evil.example/a",
        b"http://gate.example/a/../b",
        b"http://gate.example/a/%2e%2e/b",
        b"http://gate.example/a#b",
        b"http://gate.example#/a",
        b"/a/..;/b",
        b"/a%2fb",
        b"/a b",
        b"/a, /b",
    ],
)
def test_a_malformed_destination_is_refused(value: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_destination(value, host=b"gate.example")


def naive_decode(path: bytes) -> bytes:
    """Decode what can be decoded and leave the rest, as careless servers do."""
    out = bytearray()
    at = 0
    digits = string.hexdigits.encode()
    while at < len(path):
        pair = path[at + 1 : at + 3]
        if path[at] == 0x25 and len(pair) == 2 and all(digit in digits for digit in pair):
            out.append(int(pair, 16))
            at += 3
        else:
            out.append(path[at])
            at += 1
    return bytes(out)


def naive_segments(path: bytes) -> list[bytes]:
    return [part.split(b";")[0] for part in path.replace(b"\\", b"/").split(b"/")]


pieces = st.lists(
    st.sampled_from(
        [*(b"/ . .. ; %2e %2E %252e %25 %2 5 32 65 2e 2f %2f %5c %255c \\ %3b %253b a %61".split())]
    )
    | st.binary(max_size=2),
    max_size=12,
).map(lambda parts: b"/" + b"".join(parts))


@given(path=pieces | st.binary(max_size=30), query=st.binary(max_size=8), slash=st.booleans())
def test_no_bytes_raise_anything_but_a_bad_request(path: bytes, query: bytes, slash: bool) -> None:
    try:
        target = parse_target(path, query, allow_encoded_slash=slash)
    except BadRequest:
        return
    assert (target.raw_path, target.query) == (path, query)
    assert parse_target(target.folded, query, allow_encoded_slash=slash).folded == target.folded


@given(path=pieces, slash=st.booleans())
def test_no_accepted_path_decodes_to_a_parent_segment(path: bytes, slash: bool) -> None:
    try:
        target = parse_target(path, b"", allow_encoded_slash=slash)
    except BadRequest:
        return
    for spelling in (target.raw_path, target.folded, *readings(target)):
        once = naive_decode(spelling)
        for decoded in (spelling, once, naive_decode(once)):
            assert b".." not in naive_segments(decoded)
            assert b"\x00" not in decoded


@given(names=st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=3))
def test_a_quoted_path_folds_to_the_path_that_it_names(names: list[str]) -> None:
    try:
        raw_path = "".join(f"/{quote(name, safe='')}" for name in names).encode()
    except UnicodeEncodeError:
        return
    try:
        target = parse_target(raw_path, b"")
    except BadRequest:
        return
    kept = [name for name in names if name != "."]
    assert naive_decode(target.folded).decode().strip("/") == "/".join(kept)


@given(value=pieces.map(lambda path: b"http://h" + path) | st.binary(max_size=20))
def test_no_destination_raises_anything_but_a_refusal(value: bytes) -> None:
    try:
        target = parse_destination(value, host=b"h")
    except (BadRequest, ForeignDestination):
        return
    assert target.folded.startswith(b"/")
