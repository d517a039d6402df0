import httptools
import pytest

from ocgate.server.refusals import Refused


class Parsed:
    def __init__(self, data: bytes) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body = b""
        self.complete = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


@pytest.mark.parametrize("status", [400, 405, 408, 413, 414, 431, 503])
def test_a_refusal_is_one_complete_answer_that_closes(status: int) -> None:
    answer = Parsed(Refused(status, "One sentence ü with more than ASCII.").response())
    assert (answer.status, answer.complete) == (status, True)
    assert answer.body.decode() == "One sentence ü with more than ASCII.\n"
    assert answer.headers[b"connection"] == b"close"
