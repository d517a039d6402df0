"""Ugly requests on the wire: each gets its clear 4xx, and the server behind sees nothing.

Every request here carries a valid password unless it is about credentials, so nothing but the
fault in question keeps it from the server behind.
"""

import socket

import pytest

from tests.real.scene import PASSWORD, Scene, request
from tests.support.processes import wait_until
from tests.support.wire import closed_within

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


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_target_that_could_mean_two_things_is_refused(scene: Scene, target: bytes) -> None:
    scene.refuses(request(target), 400, 414)


@pytest.mark.parametrize("headers", FRAMING.values(), ids=FRAMING)
def test_a_body_without_a_clear_end_is_refused(scene: Scene, headers: tuple[bytes, ...]) -> None:
    scene.refuses(request(b"/file", *headers, method=b"PUT", body=b"0\r\n\r\n"), 400, 413, 501)


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_a_header_that_could_mean_two_things_is_refused(
    scene: Scene, headers: tuple[bytes, ...]
) -> None:
    scene.refuses(request(b"/file", *headers), 400, 431)


@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_a_host_that_is_none_is_refused(scene: Scene, host: bytes) -> None:
    scene.refuses(request(host=host), 400)


@pytest.mark.parametrize(("destination", "status"), DESTINATIONS.values(), ids=DESTINATIONS)
@pytest.mark.parametrize("method", [b"MOVE", b"COPY"])
def test_a_destination_elsewhere_is_refused(
    scene: Scene, method: bytes, destination: bytes, status: int
) -> None:
    scene.refuses(request(b"/file", b"Destination: " + destination, method=method), status)


@pytest.mark.parametrize("data", LINES.values(), ids=LINES)
def test_what_is_not_http_1_1_is_refused(scene: Scene, data: bytes) -> None:
    scene.refuses(data, 400, 505)


@pytest.mark.parametrize(
    ("method", "statuses"),
    {b"TRACE": (405, 501), b"TRACK": (400, 405, 501), b"CONNECT": (400, 405, 501)}.items(),
)
def test_a_method_that_no_file_server_needs_is_refused(
    scene: Scene, method: bytes, statuses: tuple[int, ...]
) -> None:
    scene.refuses(request(method=method), *statuses)


@pytest.mark.parametrize("body", CHUNKS.values(), ids=CHUNKS)
def test_a_broken_chunk_never_becomes_a_whole_body(scene: Scene, body: bytes) -> None:
    """The head may be on its way already; the end of the body must not be."""
    scene.behind.clear()
    data = request(b"/file", b"Transfer-Encoding: chunked", method=b"PUT", body=body)
    answer = scene.send(data)
    assert answer.status == 400, answer
    _, _, passed_on = scene.behind.everything().partition(b"\r\n\r\n")
    assert b"0\r\n\r\n" not in passed_on
    assert scene.send(request()).body == b"recorded"


@pytest.mark.parametrize("framing", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_body_that_was_cut_off_never_arrives_as_a_whole_one(scene: Scene, framing: bytes) -> None:
    scene.behind.clear()
    data = request(b"/cut-off", framing, method=b"PUT", body=b"5\r\nhello\r\n")
    with socket.create_connection(("127.0.0.1", scene.gate.port)) as connection:
        connection.sendall(data.replace(b"{host}", scene.host))
        wait_until(lambda: b"hello" in scene.behind.everything(), what="the body starts")
    wait_until(lambda: scene.behind.open_connections() == 0, what="the connection is given up")
    _, _, body = scene.behind.everything().partition(b"\r\n\r\n")
    assert len(body) < 1000
    assert b"0\r\n\r\n" not in body
    assert scene.send(request()).body == b"recorded"


def test_a_password_in_a_trailer_is_nobodys(scene: Scene) -> None:
    trailer = b"5\r\nhello\r\n0\r\n" + PASSWORD + b"\r\n\r\n"
    chunked = (b"Transfer-Encoding: chunked", b"Trailer: Authorization")
    scene.refuses(request(b"/file", *chunked, method=b"PUT", body=trailer, password=None), 401)
    scene.behind.clear()
    known = scene.send(request(b"/file", *chunked, method=b"PUT", body=trailer))
    assert known.status == 200
    assert b"hello" in scene.behind.everything()
    assert b"authorization" not in scene.behind.everything().lower()


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


def test_garbage_behind_a_refused_request_is_no_error_of_the_gate(scene: Scene) -> None:
    before = len(scene.gate.printed())
    with socket.create_connection(("127.0.0.1", scene.gate.port), timeout=20) as connection:
        connection.sendall((request(b"/%zz") + b"garbage\r\n\r\n").replace(b"{host}", scene.host))
        answers = b""
        while data := connection.recv(65536):
            answers += data
    assert answers.count(b"HTTP/1.1 400 ") == 2
    assert "stack" not in scene.gate.printed()[before:]


def test_no_fault_was_the_gates_own(scene: Scene) -> None:
    assert " 500 " not in scene.gate.printed()
    assert "Traceback" not in scene.gate.printed()
