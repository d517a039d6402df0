import pytest

from ocgate.core.errors import ConfigError
from ocgate.server.addresses import parse_address, url_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9200", ("127.0.0.1", 9200)),
        ("localhost:0", ("localhost", 0)),
        (":9200", (None, 9200)),
        ("[::1]:9200", ("::1", 9200)),
    ],
)
def test_the_go_form_is_read(text: str, expected: tuple[str | None, int]) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("text", ["", "9200", "h:", "h:65536", "h:-1", "::1:9200", "http://h:1"])
def test_anything_else_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(text)


def test_an_address_is_written_as_it_is_opened() -> None:
    assert url_of("http", "127.0.0.1", 80) == "http://127.0.0.1:80"
    assert url_of("https", "::1", 443) == "https://[::1]:443"
