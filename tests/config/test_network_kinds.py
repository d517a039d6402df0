import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.config.kinds import Kind
from ocgate.config.network_kinds import (
    ADDRESS,
    BACKENDS,
    CORS_ORIGINS,
    NETWORKS,
    ORIGIN,
    URL,
    Address,
)


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("127.0.0.1:9200", Address("127.0.0.1", 9200), "127.0.0.1:9200"),
        (":9200", Address("0.0.0.0", 9200), "0.0.0.0:9200"),
        ("localhost:0", Address("localhost", 0), "localhost:0"),
        ("[::1]:9200", Address("::1", 9200), "[::1]:9200"),
        ("unix:/run/ocgate.sock", Address(unix="/run/ocgate.sock"), "unix:/run/ocgate.sock"),
        ("unix:///run/ocgate.sock", Address(unix="/run/ocgate.sock"), "unix:/run/ocgate.sock"),
    ],
)
def test_an_address_is_read(text: str, address: Address, shown: str) -> None:
    assert ADDRESS.parse(text) == address
    assert ADDRESS.show(address) == shown


@pytest.mark.parametrize(
    "text", ["", "9200", "host", "host:", "host:99999", "host:-1", "::1:9200", "a b:1", "unix:x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"address|socket"):
        ADDRESS.parse(text)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Cloud.Example.com", "https://cloud.example.com"),
        ("https://cloud.example.com/", "https://cloud.example.com"),
        ("http://127.0.0.1:9200", "http://127.0.0.1:9200"),
        ("https://[::1]:9200/", "https://[::1]:9200"),
    ],
)
def test_an_origin_is_read(text: str, origin: str) -> None:
    assert ORIGIN.parse(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cloud.example.com",
        "ftp://cloud.example.com",
        "https://",
        "https://cloud.example.com/dav",
        "https://user@cloud.example.com",
        "https://cloud.example.com?",
        "https://cloud.example.com#x",
        "https://cloud.example.com:99999",
        "https://cloud.example.com:x",
        "https://clo ud",
        "https://a\\b",
        "https://[::1",
        "http://a\nb",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        ORIGIN.parse(text)


def test_a_url_may_have_a_path_and_stays_as_it_is() -> None:
    assert URL.parse("https://id.example.com/realms/A/") == "https://id.example.com/realms/A/"
    with pytest.raises(ValueError, match="percent-encoded"):
        URL.parse("https://id.example.com/realms A")


def test_backends_are_urls_or_sockets() -> None:
    text = "http://127.0.0.1:8081, https://b:8443/dav,unix:/run/dav.sock"
    assert BACKENDS.parse(text) == (
        "http://127.0.0.1:8081",
        "https://b:8443/dav",
        "unix:/run/dav.sock",
    )
    with pytest.raises(ValueError, match="not a URL"):
        BACKENDS.parse("127.0.0.1:8081")


def test_networks_are_ranges_or_single_addresses() -> None:
    assert NETWORKS.show(NETWORKS.parse("10.0.0.0/8, ::1")) == "10.0.0.0/8,::1/128"
    with pytest.raises(ValueError, match="host bits"):
        NETWORKS.parse("10.0.0.1/8")


def test_cors_origins_have_at_most_one_wildcard() -> None:
    text = "*,https://*.example.com,https://App.example.com/"
    assert CORS_ORIGINS.parse(text) == ("*", "https://*.example.com", "https://app.example.com")
    for wrong in ("https://*.*.com", "null", "app.example.com"):
        with pytest.raises(ValueError):
            CORS_ORIGINS.parse(wrong)


kinds = st.sampled_from([ADDRESS, ORIGIN, URL, BACKENDS, NETWORKS, CORS_ORIGINS])


@given(kinds, st.one_of(st.text(), st.text(alphabet="htps:/[]@%?#*.1a unix,")))
def test_any_text_is_read_or_refused(kind: Kind[object], text: str) -> None:
    try:
        value = kind.parse(text)
    except ValueError:
        return
    assert kind.parse(kind.show(value)) == value


def test_a_password_in_a_url_is_not_shown() -> None:
    with pytest.raises(ValueError, match="user name") as raised:
        BACKENDS.parse("http://ann:swordfish@127.0.0.1")
    assert "swordfish" not in str(raised.value)
