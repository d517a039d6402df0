"""Ugly requests on the wire: each gets its clear 4xx, and the server behind sees nothing.

Every request here carries a valid password unless it is about credentials, so nothing but the
fault in question keeps it from the server behind.
"""

import re
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass

import pytest

from tests.support.asking import Answer
from tests.support.gate import ALAN, MARY, Gate, running_gate
from tests.support.presign import presigned, target_of
from tests.support.processes import wait_until
from tests.support.recorder import Recorder, recorder
from tests.support.wire import basic_header, closed_within, exchange, raw_request

PASSWORD = basic_header(*ALAN)


@dataclass(frozen=True, slots=True)
class Scene:
    gate: Gate
    behind: Recorder

    @property
    def host(self) -> bytes:
        return f"127.0.0.1:{self.gate.port}".encode()

    def send(self, data: bytes, *, method: str = "GET") -> Answer:
        """Send bytes in which `{host}` stands for the gate's own address."""
        return exchange(self.gate.port, data.replace(b"{host}", self.host), method=method)


@pytest.fixture(scope="module")
def scene() -> Generator[Scene]:
    with recorder() as behind, running_gate(behind.origin) as gate:
        yield Scene(gate, behind)


def request(
    target: bytes = b"/file",
    *headers: bytes,
    method: bytes = b"GET",
    host: bytes = b"{host}",
    version: bytes = b"HTTP/1.1",
    body: bytes = b"",
    password: bytes | None = PASSWORD,
) -> bytes:
    known = () if password is None else (password,)
    return raw_request(
        target, *known, *headers, host=host, method=method, version=version, body=body
    )


TARGETS = {
    "parent": b"/../secret",
    "parent in the middle": b"/a/../../secret",
    "parent at the end": b"/a/..",
    "parent alone": b"/..",
    "parent, escaped": b"/%2e%2e/secret",
    "parent, escaped in capitals": b"/%2E%2E/secret",
    "parent, half escaped": b"/.%2e/secret",
    "parent, other half escaped": b"/%2e./secret",
    "parent, escaped twice": b"/%252e%252e/secret",
    "parent, escaped three times": b"/%25252e%25252e/secret",
    "parent, one dot escaped twice": b"/.%252e/secret",
    "parent with parameters": b"/a/..;/secret",
    "parent with a named parameter": b"/a/..;v=1/secret",
    "parent with an escaped semicolon": b"/a/..%3b/secret",
    "parent, all escaped with a semicolon": b"/a/%2e%2e%3b/secret",
    "parent behind an escaped slash": b"/a/..%2fsecret",
    "parent behind a backslash": rb"/a/..\secret",
    "parent behind an escaped backslash": b"/a/..%5csecret",
    "parent behind empty segments": b"/a//..//secret",
    "parent, overlong": b"/%c0%ae%c0%ae/secret",
    "parent, overlong slash": b"/a%c0%afsecret",
    "parent, full width": b"/%u002e%u002e/secret",
    "escaped slash": b"/a%2fb",
    "escaped slash in capitals": b"/a%2Fb",
    "escaped slash, twice": b"/a%252fb",
    "backslash": rb"/a\b",
    "escaped backslash": b"/a%5cb",
    "NUL": b"/a\0b",
    "escaped NUL": b"/a%00b",
    "escaped NUL at the end": b"/file.txt%00",
    "escaped NUL, twice": b"/a%2500b",
    "escaped line feed": b"/a%0ab",
    "escaped line end and header": b"/a%0d%0aX-Remote-User:%20admin",
    "escaped DEL": b"/a%7fb",
    "control character": b"/a\x01b",
    "tab": b"/a\tb",
    "space": b"/a b",
    "lone percent sign": b"/a%",
    "cut off escape": b"/a%2",
    "no escape": b"/a%zz",
    "not UTF-8": b"/%ff%fe",
    "half a character": b"/%c3",
    "surrogate": b"/%ed%a0%80",
    "raw umlaut": "/ü".encode(),
    "raw Latin-1": b"/\xfc",
    "fragment": b"/a#b",
    "no slash": b"file",
    "nothing": b"",
    "only a query": b"?a=b",
    "asterisk": b"*",
    "another host": b"http://other.example/file",
    "another port": b"http://127.0.0.1:1/file",
    "another host before an @": b"http://other.example@{host}/file",
    "user and password": b"http://alan:demo@{host}/file",
    "another scheme": b"ftp://{host}/file",
    "file scheme": b"file:///etc/passwd",
    "host and port": b"{host}",
    "raw umlaut in the query": "/file?ü".encode(),
    "NUL in the query": b"/file?a=\0",
    "long": b"/" + b"a" * 9000,
    "long query": b"/file?" + b"a" * 9000,
}

FRAMING = {
    "length and chunked": (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "chunked and length": (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    "two lengths": (b"Content-Length: 5", b"Content-Length: 6"),
    "list of lengths": (b"Content-Length: 5, 6",),
    "plus": (b"Content-Length: +5",),
    "minus": (b"Content-Length: -5",),
    "hexadecimal": (b"Content-Length: 0x5",),
    "underscore": (b"Content-Length: 0_5",),
    "no number": (b"Content-Length: five",),
    "empty length": (b"Content-Length:",),
    "huge length": (b"Content-Length: 99999999999999999999999",),
    "unknown coding": (b"Transfer-Encoding: gzip",),
    "chunked is not last": (b"Transfer-Encoding: chunked, identity",),
    "misspelt chunked": (b"Transfer-Encoding: xchunked",),
    "chunked twice": (b"Transfer-Encoding: chunked, chunked",),
    "chunked in two headers": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    "quoted chunked": (b'Transfer-Encoding: "chunked"',),
    "vertical tab": (b"Transfer-Encoding: \x0bchunked",),
    "space before the colon": (b"Transfer-Encoding : chunked",),
    "folded line": (b"Transfer-Encoding:", b" chunked"),
}

CHUNKS = {
    "no number": b"zz\r\nhello\r\n0\r\n\r\n",
    "hexadecimal prefix": b"0x5\r\nhello\r\n0\r\n\r\n",
    "minus": b"-5\r\nhello\r\n0\r\n\r\n",
    "space before": b" 5\r\nhello\r\n0\r\n\r\n",
    "huge": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "empty": b"\r\nhello\r\n0\r\n\r\n",
    "longer than said": b"3\r\nhello\r\n0\r\n\r\n",
}

HEADERS = {
    "no colon": (b"X-Nothing",),
    "no name": (b": value",),
    "space in the name": (b"X Y: value",),
    "parenthesis in the name": (b"X(Y): value",),
    "umlaut in the name": ("X-ü: value".encode(),),
    "NUL in a value": (b"X-Value: a\0b",),
    "control character in a value": (b"X-Value: a\x01b",),
    "bare CR in a value": (b"X-Value: a\rX-Remote-User: admin",),
    "underscore": (b"X_Remote_User: admin",),
    "underscore in an own header": (b"X_Request_Id: 1",),
    "two Authorization": (b"Authorization: Basic bWFyeTpkZW1v",),
    "Authorization twice the same": (PASSWORD,),
    "two Host": (b"Host: other.example",),
    "two Destination": (b"Destination: /a", b"Destination: /b"),
    "too many": tuple(b"X-%d: 1" % number for number in range(300)),
    "long value": (b"X-Long: " + b"a" * 70_000,),
    "long name": (b"X-" + b"a" * 70_000 + b": 1",),
}

HOSTS = {
    "path": b"{host}/path",
    "user": b"alan@{host}",
    "space": b"a b",
    "quote": b'a"b',
    "backslash": rb"a\b",
    "query": b"{host}?a",
    "no port": b"127.0.0.1:port",
    "huge port": b"127.0.0.1:99999999",
    "umlaut": "ü.example".encode(),
}

DESTINATIONS = {
    "parent": (b"http://{host}/a/../b", 400),
    "parent, escaped": (b"http://{host}/%2e%2e/b", 400),
    "parent as a path": (b"/a/../b", 400),
    "escaped slash": (b"http://{host}/a%2fb", 400),
    "escaped NUL": (b"http://{host}/a%00", 400),
    "backslash": (rb"http://{host}\@other.example/b", 400),
    "fragment": (b"http://{host}/a#b", 400),
    "relative": (b"b", 400),
    "empty": (b"", 400),
    "another scheme": (b"ftp://{host}/b", 400),
    "no scheme": (b"//other.example/b", 400),
    "user": (b"http://alan@{host}/b", 400),
    # RFC 4918 §9.8.3 wants this 502: the server cannot write to another one
    "another server": (b"http://other.example/b", 502),
    "another port": (b"http://127.0.0.1:1/b", 502),
}

LINES = {
    "HTTP/0.9": b"GET /file\r\n\r\n",
    "HTTP/2.0": b"GET /file HTTP/2.0\r\nHost: {host}\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version without a name": b"GET /file 1.1\r\nHost: {host}\r\n\r\n",
    "lower-case method": b"get /file HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "method with a slash": b"G/T /file HTTP/1.1\r\nHost: {host}\r\n\r\n",
    "no Host": b"GET /file HTTP/1.1\r\n" + PASSWORD + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 80,
    "text": b"hello\r\n\r\n",
    "space before a header": b"GET /file HTTP/1.1\r\n Host: {host}\r\n\r\n",
}


def refused(scene: Scene, data: bytes, *statuses: int, method: str = "GET") -> Answer:
    """Send, and hold that the answer is one of `statuses`, clear, and all that happened."""
    scene.behind.clear()
    answer = scene.send(data, method=method)
    assert answer.status in statuses, answer
    assert answer.header("Content-Length") is not None
    if answer.status != 401 and method != "HEAD":
        assert re.match(r"\S.{5,}", answer.body.decode()), answer
    assert scene.behind.everything() == b""
    control = scene.send(request())
    assert (control.status, control.body) == (200, b"recorded")
    return answer


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_target_that_could_mean_two_things_is_refused(scene: Scene, target: bytes) -> None:
    refused(scene, request(target), 400, 414)


@pytest.mark.parametrize("headers", FRAMING.values(), ids=FRAMING)
def test_a_body_without_a_clear_end_is_refused(scene: Scene, headers: tuple[bytes, ...]) -> None:
    refused(scene, request(b"/file", *headers, method=b"PUT", body=b"0\r\n\r\n"), 400, 413, 501)


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_a_header_that_could_mean_two_things_is_refused(
    scene: Scene, headers: tuple[bytes, ...]
) -> None:
    refused(scene, request(b"/file", *headers), 400, 431)


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_host_that_is_none_is_refused(scene: Scene, host: bytes) -> None:
    refused(scene, request(host=host), 400)


@pytest.mark.parametrize(("destination", "status"), DESTINATIONS.values(), ids=DESTINATIONS)
@pytest.mark.parametrize("method", [b"MOVE", b"COPY"])
def test_a_destination_elsewhere_is_refused(
    scene: Scene, method: bytes, destination: bytes, status: int
) -> None:
    refused(scene, request(b"/file", b"Destination: " + destination, method=method), status)


@pytest.mark.parametrize("data", LINES.values(), ids=LINES)
def test_what_is_not_http_1_1_is_refused(scene: Scene, data: bytes) -> None:
    refused(scene, data, 400, 505)


@pytest.mark.parametrize(
    ("method", "statuses"),
    {b"TRACE": (405, 501), b"TRACK": (400, 405, 501), b"CONNECT": (400, 405, 501)}.items(),
)
def test_a_method_that_no_file_server_needs_is_refused(
    scene: Scene, method: bytes, statuses: tuple[int, ...]
) -> None:
    refused(scene, request(method=method), *statuses)


@pytest.mark.parametrize("body", CHUNKS.values(), ids=CHUNKS)
def test_a_broken_chunk_never_becomes_a_whole_body(scene: Scene, body: bytes) -> None:
    """The head may be on its way already; the end of the body must not be."""
    scene.behind.clear()
    data = request(b"/file", b"Transfer-Encoding: chunked", method=b"PUT", body=body)
    answer = scene.send(data)
    assert answer.status == 400, answer
    assert b"0\r\n\r\n" not in scene.behind.everything()
    assert scene.send(request()).body == b"recorded"


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_body_that_was_cut_off_never_arrives_as_a_whole_one(scene: Scene, framing: bytes) -> None:
    scene.behind.clear()
    data = request(b"/cut-off", framing, method=b"PUT", body=b"5\r\nhello\r\n")
    with socket.create_connection(("127.0.0.1", scene.gate.port)) as connection:
        connection.sendall(data.replace(b"{host}", scene.host))
        wait_until(lambda: b"hello" in scene.behind.everything(), what="the body starts")
    wait_until(lambda: scene.behind.open_connections() == 0, what="the connection is given up")
    assert b"0\r\n\r\n" not in scene.behind.everything()
    assert len(scene.behind.everything()) < 1000
    assert scene.send(request()).body == b"recorded"


def test_a_password_in_a_trailer_is_nobodys(scene: Scene) -> None:
    trailer = b"5\r\nhello\r\n0\r\n" + PASSWORD + b"\r\n\r\n"
    chunked = (b"Transfer-Encoding: chunked", b"Trailer: Authorization")
    refused(scene, request(b"/file", *chunked, method=b"PUT", body=trailer, password=None), 401)
    scene.behind.clear()
    known = scene.send(request(b"/file", *chunked, method=b"PUT", body=trailer))
    assert known.status == 200
    assert b"hello" in scene.behind.everything()
    assert b"authorization" not in scene.behind.everything().lower()


BAD_PASSWORDS = {
    "not base64": b"Basic !!!",
    "no colon": b"Basic YWxhbg==",
    "empty": b"Basic",
    "no password": b"Basic YWxhbjo=",
    "NUL": b"Basic YWxhbjpkZW1vAA==",
    "NUL and more": b"Basic YWxhbjpkZW1vAHg=",
    "not UTF-8": b"Basic YWxhbjr//w==",
    "nobody": b"Basic bm9ib2R5OmRlbW8=",
    "longer than bcrypt reads": basic_header("alan", "demo" * 30)[15:],
    "very long": b"Basic " + b"QUFB" * 4000,
    "unknown scheme": b"Magic abc",
    "no scheme": b"YWxhbjpkZW1v",
    "bytes": b"\xff\xfe",
}


@pytest.mark.parametrize("value", BAD_PASSWORDS.values(), ids=BAD_PASSWORDS)
def test_a_bad_password_is_a_401(scene: Scene, value: bytes) -> None:
    answer = refused(scene, request(password=b"Authorization: " + value), 401)
    assert answer.header("WWW-Authenticate")


def test_two_credentials_in_one_header_are_refused(scene: Scene) -> None:
    refused(scene, request(password=PASSWORD + b", Basic bWFyeTpkZW1v"), 400)


Replacement = str | Callable[[re.Match[str]], str]


def capitals(found: re.Match[str]) -> str:
    return found[0].upper()


PRESIGNED_GARBAGE: dict[str, tuple[str, Replacement]] = {
    "last digit": (r"(?<=OC-Signature=)(.*).$", r"\1x"),
    "no signature": (r"OC-Signature=.*", "OC-Signature="),
    "capitals": (r"(?<=OC-Signature=).*", capitals),
    "umlaut": (r"OC-Signature=.*", "OC-Signature=%C3%BC"),
    "not UTF-8": (r"OC-Signature=.*", "OC-Signature=%FF"),
    "NUL": (r"OC-Signature=.*", "OC-Signature=%00"),
    "long signature": (r"OC-Signature=.*", "OC-Signature=" + "ab" * 2000),
    "signature twice": (r"(OC-Signature=.*)", r"\1&\1"),
    "nobody": (r"OC-Credential=\w+", "OC-Credential=nobody"),
    "somebody else": (r"OC-Credential=\w+", "OC-Credential=mary"),
    "empty credential": (r"OC-Credential=\w+", "OC-Credential="),
    "wildcard": (r"OC-Credential=\w+", "OC-Credential=*"),
    "NATS wildcard": (r"OC-Credential=\w+", "OC-Credential=%3E"),
    "NUL in the credential": (r"OC-Credential=\w+", "OC-Credential=alan%00"),
    "credential that is not UTF-8": (r"OC-Credential=\w+", "OC-Credential=%FF"),
    "long credential": (r"OC-Credential=\w+", "OC-Credential=" + "a" * 4000),
    "credential twice": (r"(OC-Credential=\w+)", r"\1&\1"),
    "no credential": (r"OC-Credential=\w+&", ""),
    "no date": (r"OC-Date=[^&]+&", ""),
    "old date": (r"OC-Date=20..", "OC-Date=2001"),
    "future date": (r"OC-Date=20..", "OC-Date=2099"),
    "year 9999": (r"OC-Date=20..", "OC-Date=9999"),
    "date without a zone": (r"(OC-Date=[^&]+)Z", r"\1"),
    "no such date": (r"(OC-Date=\d+-)\d\d", r"\g<1>13"),
    "garbage date": (r"OC-Date=[^&]+", "OC-Date=tomorrow"),
    "no expiry": (r"OC-Expires=\d+&", ""),
    "expiry zero": (r"OC-Expires=\d+", "OC-Expires=0"),
    "negative expiry": (r"OC-Expires=\d+", "OC-Expires=-1"),
    "huge expiry": (r"OC-Expires=\d+", "OC-Expires=" + "9" * 4000),
    "expiry in other digits": (r"OC-Expires=\d+", "OC-Expires=%D9%A1%D9%A2"),
    "expiry as a duration": (r"OC-Expires=\d+", "OC-Expires=1h60"),
    "other verb": (r"OC-Verb=GET", "OC-Verb=PUT"),
    "no verb": (r"&OC-Verb=GET", ""),
    "half an escape": (r"OC-Verb=GET", "OC-Verb=G%4"),
    "other parameter": (r"\?", "?added=1&"),
    "other parameter that parsers drop": (r"$", "&a=1;b=2"),
    "other path": (r"^/file", "/file2"),
}


@pytest.mark.parametrize(
    ("pattern", "replacement"), PRESIGNED_GARBAGE.values(), ids=PRESIGNED_GARBAGE
)
def test_a_presigned_url_that_was_touched_is_a_401(
    scene: Scene, pattern: str, replacement: Replacement
) -> None:
    good = target_of(scene.gate.presigned("GET", "/file"))
    touched = re.sub(pattern, replacement, good, count=1)
    assert touched != good
    answer = refused(scene, request(touched.encode(), password=None), 400, 401)
    assert b"OC-" not in answer.body
    assert scene.send(request(good.encode(), password=None)).body == b"recorded"


def test_an_empty_or_guessed_key_signs_nothing(scene: Scene) -> None:
    """mary has no key until she fetches one."""
    for key in ("", "0" * 128, "null", "None"):
        url = presigned(f"{scene.gate.origin}/file", user="mary", key=key)
        refused(scene, request(target_of(url).encode(), password=None), 401)
    url = scene.gate.presigned("GET", "/file", user=MARY[0])
    assert scene.send(request(target_of(url).encode(), password=None)).body == b"recorded"


def test_a_refused_request_never_hides_a_second_one(scene: Scene) -> None:
    """What follows a refusal on the same connection is not taken for a request."""
    hidden = request(b"/hidden")
    first = request(
        b"/file",
        b"Content-Length: 3",
        b"Transfer-Encoding: chunked",
        method=b"PUT",
        body=b"0\r\n\r\n",
    )
    scene.behind.clear()
    with socket.create_connection(("127.0.0.1", scene.gate.port), timeout=20) as connection:
        connection.sendall((first + hidden).replace(b"{host}", scene.host))
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert closed_within(connection, 10)
    assert scene.behind.everything() == b""
    assert scene.send(request()).body == b"recorded"


def test_no_fault_was_the_gates_own(scene: Scene) -> None:
    assert " 500 " not in scene.gate.printed()
    assert "Traceback" not in scene.gate.printed()
