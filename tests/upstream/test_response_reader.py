import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import BadGateway
from ocgate.upstream.response_reader import ResponseReader

ANSWERS = {
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello": (200, b"hello", True),
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello": (
        200,
        b"hello",
        False,
    ),
    b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello": (200, b"hello", False),
    b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello": (
        200,
        b"hello",
        True,
    ),
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n": (
        200,
        b"hello",
        True,
    ),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n": (404, b"", True),
    b"HTTP/1.1 204 No\r\n\r\n": (204, b"", True),
    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello!": (200, b"hello", False),
}


def read(answer: bytes, cuts: list[int], *, bodiless: bool = False) -> ResponseReader:
    reader = ResponseReader()
    reader.expect(bodiless=bodiless)
    edges = [0, *sorted(cut % (len(answer) + 1) for cut in cuts), len(answer)]
    for start, end in itertools.pairwise(edges):
        if start < end:
            reader.feed(answer[start:end])
    return reader


@given(st.sampled_from(list(ANSWERS)), st.lists(st.integers(0, 200)))
def test_an_answer_reads_the_same_however_it_is_cut(answer: bytes, cuts: list[int]) -> None:
    reader = read(answer, cuts)
    body = b"".join(reader.chunks)
    assert (reader.status, body, reader.reusable) == ANSWERS[answer]
    assert reader.complete
    assert reader.queued == len(body)
    assert b"x-t" not in dict(reader.headers)


@given(st.binary(), st.lists(st.integers(0, 200)), st.booleans())
def test_anything_is_an_answer_or_a_bad_gateway(
    noise: bytes, cuts: list[int], bodiless: bool
) -> None:
    for start in (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    ):
        try:
            reader = read(start + noise, cuts, bodiless=bodiless)
            reader.feed_eof()
        except BadGateway:
            continue
        assert reader.complete
        assert not reader.reusable


def over(reader: ResponseReader) -> bool:
    return reader.complete


def test_eof_ends_only_a_body_without_a_length() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\n\r\nhello", [])
    assert over(reader) is False
    reader.feed_eof()
    assert over(reader) is True
    for start in (
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ):
        with pytest.raises(BadGateway):
            read(start, []).feed_eof()


def test_a_head_without_an_end_is_refused() -> None:
    reader = ResponseReader()
    reader.expect(bodiless=False)
    reader.feed(b"HTTP/1.1 200 OK\r\na: ")
    for _ in range(10):
        reader.feed(b"b" * 10_000)
    with pytest.raises(BadGateway):
        reader.feed(b"b" * 300_000)


def test_too_many_fields_are_refused() -> None:
    with pytest.raises(BadGateway):
        read(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 201 + b"\r\n", [])
    assert read(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n", []).status == 200


def test_a_received_body_part_is_passed_on_and_not_copied() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", [])
    part = b"x" * 60_000
    reader.feed(part)
    assert reader.chunks[0] is part
