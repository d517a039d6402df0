import pytest

from ocgate.core.errors import BadRequest, OcgateError
from ocgate.upstream.mapping import AddressMap
from ocgate.upstream.origin import Origin
from tests.upstream.test_request_heads import ADDRESS, read


def test_the_head_has_the_framing_last_and_one_empty_line() -> None:
    request = read((b"content-length", b"7"), method="PUT", query_string=b"a=%41")
    head = request.head(ADDRESS)
    assert head.startswith(b"PUT /a?a=%41 HTTP/1.1\r\nhost: gate\r\n")
    assert head.endswith(b"\r\ncontent-length: 7\r\n\r\n")


def test_a_bare_question_mark_is_passed_on() -> None:
    assert read().head(ADDRESS).startswith(b"GET /a HTTP/1.1\r\n")
    head = read(**{"ocgate.empty_query": True}).head(ADDRESS)
    assert head.startswith(b"GET /a? HTTP/1.1\r\n")


def test_an_upgrade_is_asked_for_only_on_purpose() -> None:
    request = read((b"connection", b"upgrade"), (b"upgrade", b"WebSocket"))
    assert request.upgrade == b"websocket"
    assert b"upgrade" not in request.head(ADDRESS)
    assert b"\r\nconnection: upgrade\r\nupgrade: websocket\r\n" in request.head(
        ADDRESS, upgrade=True
    )


def test_the_host_is_the_clients_or_the_backends() -> None:
    own = AddressMap(Origin.parse("http://backend"), preserve_host=False)
    assert read().host_at(ADDRESS) == b"gate"
    assert read().host_at(own) == b"backend"
    assert read().public_origin() == b"https://gate"
    assert read(**{"ocgate.forwarded_origin": b"https://p"}).public_origin() == b"https://p"


@pytest.mark.parametrize(
    ("destination", "sent"),
    [(b"/b", b"http://gate/b"), (b"https://gate/b%20c", b"http://gate/b%20c")],
)
def test_a_destination_is_sent_as_the_backend_knows_it(destination: bytes, sent: bytes) -> None:
    head = read((b"destination", destination), method="MOVE").head(ADDRESS)
    assert b"\r\ndestination: " + sent + b"\r\n" in head


@pytest.mark.parametrize("destination", [b"https://other/b", b"b", b"/../b"])
def test_a_destination_that_is_none_is_refused(destination: bytes) -> None:
    with pytest.raises(OcgateError):
        read((b"destination", destination), method="MOVE").head(ADDRESS)


@pytest.mark.parametrize("path", [b"/a b", b"/a\r\nx: y", b"/a\0"])
def test_a_target_with_a_stray_character_is_refused(path: bytes) -> None:
    with pytest.raises(BadRequest):
        read(raw_path=path).head(ADDRESS)
