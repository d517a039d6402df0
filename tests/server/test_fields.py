import pytest

from ocgate.server.fields import Fields


def test_fields_are_written_as_they_go_out() -> None:
    fields = Fields.of([(b"X-One", b"1"), (b"x-two", b"a b")])
    assert fields.lines == b"x-one: 1\r\nx-two: a b\r\n"
    assert Fields.of([]).lines == b""


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nset-cookie: b"),
        (b"x\ny", b"a"),
        (b"x", b"\0"),
        (b"Content-Length", b"1"),
        (b"connection", b"close"),
        (b"transfer-encoding", b"chunked"),
    ],
)
def test_nothing_that_changes_the_answer_s_form_is_written(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match=r"control|framing"):
        Fields.of([(b"x-good", b"1"), header])
