"""A gate in front of a recorder, and what a refusal looks like from both sides."""

import re
from dataclasses import dataclass

from tests.support.asking import Answer
from tests.support.gate import ALAN, Gate
from tests.support.recorder import Recorder
from tests.support.wire import basic_header, exchange, raw_request

PASSWORD = basic_header(*ALAN)


@dataclass(frozen=True, slots=True)
class Scene:
    """A gate, and the recorder that stands behind it."""

    gate: Gate
    behind: Recorder

    @property
    def host(self) -> bytes:
        return f"127.0.0.1:{self.gate.port}".encode()

    def send(self, data: bytes, *, method: str = "GET", source: str = "127.0.0.1") -> Answer:
        """Send bytes in which `{host}` stands for the gate's own address."""
        filled = data.replace(b"{host}", self.host)
        return exchange(self.gate.port, filled, method=method, source=source)

    def refuses(self, data: bytes, *statuses: int, source: str = "127.0.0.1") -> Answer:
        """Hold that the answer is one of `statuses`, clear, and all that happened.

        `source` is the client's address; all of 127.0.0.0/8 is this machine's.
        """
        self.behind.clear()
        answer = self.send(data, source=source)
        assert answer.status in statuses, answer
        assert answer.header("Content-Length") is not None
        if answer.status != 401:
            assert re.match(r"\S.{5,}", answer.body.decode()), answer
        assert self.behind.everything() == b""
        control = self.send(request())
        assert (control.status, control.body) == (200, b"recorded")
        return answer


def request(
    target: bytes = b"/file",
    *headers: bytes,
    method: bytes = b"GET",
    host: bytes = b"{host}",
    body: bytes = b"",
    password: bytes | None = PASSWORD,
) -> bytes:
    """Put a request of alan together, or of nobody with `password=None`."""
    known = () if password is None else (password,)
    return raw_request(target, *known, *headers, host=host, method=method, body=body)
