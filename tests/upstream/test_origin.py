import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import ConfigError
from ocgate.upstream.origin import Origin


@pytest.mark.parametrize(
    ("text", "origin", "authority"),
    [
        ("http://127.0.0.1:8081", Origin("http", "127.0.0.1", 8081), b"127.0.0.1:8081"),
        ("http://files.example/", Origin("http", "files.example", 80), b"files.example"),
        (
            "https://Files.example/dav/",
            Origin("https", "files.example", 443, prefix=b"/dav"),
            b"files.example",
        ),
        ("http://[::1]:80", Origin("http", "::1", 80), b"[::1]"),
        ("unix:/run/a.sock", Origin("http", "localhost", 80, "/run/a.sock"), b"localhost"),
        (
            "unix:/run/a.sock:/dav",
            Origin("http", "localhost", 80, "/run/a.sock", b"/dav"),
            b"localhost",
        ),
    ],
)
def test_addresses_are_read(text: str, origin: Origin, authority: bytes) -> None:
    assert Origin.parse(text) == origin
    assert origin.authority == authority


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:8081",
        "ftp://a",
        "http://",
        "http://a:99999",
        "http://a:b",
        "http://user:secret@a",
        "http://a/?x",
        "http://a/#x",
        "http://a/a b",
        "unix:a.sock",
        "unix:",
        "unix:/a.sock:dav",
        "http://[::1",
        "http://b\u00fccher.example",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Origin.parse(text)


@given(st.text())
def test_any_text_is_an_address_or_a_config_error(text: str) -> None:
    for start in ("", "http://", "https://a/", "unix:/"):
        try:
            origin = Origin.parse(start + text)
        except ConfigError:
            continue
        assert isinstance(origin.authority, bytes)
        assert b"\n" not in origin.authority + origin.prefix
