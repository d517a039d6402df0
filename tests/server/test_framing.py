import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.server.framing import Framing
from ocgate.server.heads import UNFRAMED
from ocgate.server.limits import Limits
from ocgate.server.refusals import Refused

blank_prone = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\r\n\r\n"]), max_size=30
).map(b"".join)


def pieces_of(framing: Framing, parts: list[bytes]) -> list[bytes]:
    """Cut as the protocol does, and put together what belongs to one piece."""
    pieces = [b""]
    for part in parts:
        rest = part
        while rest:
            end = framing.end_of_piece(rest)
            pieces[-1] += rest[:end]
            rest = rest[end:]
            if pieces[-1].endswith(b"\r\n\r\n"):
                pieces.append(b"")
    return pieces


@given(data=blank_prone, cuts=st.lists(st.integers(0, 60), max_size=5))
def test_every_empty_line_ends_a_piece_however_the_bytes_arrive(
    data: bytes, cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[a:b] for a, b in itertools.pairwise(edges)]
    expected = data.split(b"\r\n\r\n")
    pieces = [part + b"\r\n\r\n" for part in expected[:-1]] + expected[-1:]
    assert pieces_of(Framing(Limits()), parts) == pieces


def test_a_body_of_known_length_ends_where_it_ends() -> None:
    framing = Framing(Limits())
    framing.expect(10)
    assert framing.end_of_piece(b"\r\n\r\nabcdefghijkl") == 10
    framing.body(4)
    assert framing.end_of_piece(b"efghijkl") == 6


def test_a_head_is_bounded_over_all_its_pieces() -> None:
    framing = Framing(Limits(head_bytes=100, target_bytes=50))
    framing.before(b"GET / HTTP/1.1\r\n" + b"a" * 60, in_target=True)
    with pytest.raises(Refused) as refused:
        framing.before(b"a" * 30, in_target=False)
    assert refused.value.status == 431
    framing.begin()
    framing.before(b"a" * 100, in_target=False)


def test_a_target_without_end_is_a_414() -> None:
    framing = Framing(Limits(head_bytes=100, target_bytes=50))
    with pytest.raises(Refused) as refused:
        framing.before(b"GET /" + b"a" * 100, in_target=True)
    assert refused.value.status == 414


def test_chunk_extensions_are_bounded() -> None:
    framing = Framing(Limits())
    framing.expect(UNFRAMED)
    for extension, is_refused in ((b";" + b"a" * 200, False), (b";" + b"a" * 400, True)):
        piece = b"3%b\r\nabc\r\n" % extension
        framing.before(piece, in_target=False)
        framing.chunk()
        framing.body(3)
        if is_refused:
            with pytest.raises(Refused):
                framing.after(piece)
        else:
            framing.after(piece)


def test_a_size_line_without_end_is_refused() -> None:
    framing = Framing(Limits())
    framing.expect(UNFRAMED)
    for _ in range(2):
        framing.before(b"a" * 100, in_target=False)
        framing.after(b"a" * 100)
    framing.before(b"a" * 100, in_target=False)
    with pytest.raises(Refused):
        framing.after(b"a" * 100)
