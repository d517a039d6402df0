import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.cors import CORSRule, Origins, joined, tokens
from ocgate.core.errors import ConfigError


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("https://allowed.example", "https://allowed.example"),
        ("https://allowed.example", "HTTPS://ALLOWED.EXAMPLE"),
        ("HTTPS://Allowed.Example/", "https://allowed.example"),
        ("https://allowed.example:443", "https://allowed.example"),
        ("http://allowed.example:80", "http://allowed.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://localhost:*", "http://localhost:8080"),
        ("http://localhost:*", "http://localhost"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("https://*.wild.example", "https://sub.wild.example"),
        ("https://*.wild.example", "https://a.b.wild.example"),
        ("https://*.wild.example:8443", "https://a.wild.example:8443"),
        ("https://pr-*.wild.example", "https://pr-17.wild.example"),
        ("*", "https://anybody.example"),
    ],
)
def test_an_origin_on_the_list_is_allowed(entry: str, origin: str) -> None:
    assert Origins.of(["https://other.example", entry]).allow(origin)


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("https://allowed.example", "https://allowed.example.evil.org"),
        ("https://allowed.example", "http://allowed.example"),
        ("https://allowed.example", "https://allowed.example:8443"),
        ("https://allowed.example", "https://allowed.example/"),
        ("https://allowed.example", "https://allowed.example "),
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://.example.com"),
        ("https://*.example.com", "https://evilexample.com"),
        ("https://*.example.com", "https://evil.com/.example.com"),
        ("https://*.example.com", "https://evil.com?.example.com"),
        ("https://*.example.com", "https://evil.com#.example.com"),
        ("https://*.example.com", "https://evil.com:1.example.com"),
        ("https://*.example.com", "https://user@a.example.com"),
        ("https://*.example.com", "https://a.example.com.evil.org"),
        ("https://*.example.com", "https://a.example.com:8443"),
        ("https://*.example.com", "http://a.example.com"),
        ("https://*.example.com", "https://aXexample.com"),
        ("https://*.example.com", "https://a.example.com\n"),
        ("https://*.example.com", "https://" + "a" * 600 + ".example.com"),
        ("http://localhost:*", "http://localhost:"),
        ("http://localhost:*", "http://localhost:80.evil.org"),
        ("http://localhost:*", "http://localhost.evil.org"),
        ("*", "null"),
        ("*", ""),
        ("*", "https://a\r\nb"),
    ],
)
def test_an_origin_that_only_looks_alike_is_not(entry: str, origin: str) -> None:
    assert not Origins.of([entry]).allow(origin)


@pytest.mark.parametrize(
    "entry",
    ["null", "NULL", "", "allowed.example", "https://", "https://a/path", "https://a b",
     "https://u@a.example", "https://a?b", "https://*", "https://*example.com", "*://a.example",
     "https://a.*", "https://*.*.example", "https://*.example:*", "https://a:x", "https://*.",
     "https://bücher.example", "https://a.example,https://b.example", "https://a\n"],
)  # fmt: skip
def test_an_entry_that_is_no_origin_is_refused(entry: str) -> None:
    with pytest.raises(ConfigError, match="allow_origins: "):
        Origins.of([entry])


def test_all_wrong_entries_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Origins.of(["null", "https://ok.example", "x"])
    assert len(str(caught.value).splitlines()) == 2


def test_nobody_is_allowed_by_an_empty_list() -> None:
    assert Origins.of([]).empty
    assert not Origins.of([]).allow("https://a.example")
    assert not Origins.of(["*"]).empty


@given(st.text(max_size=30), st.sampled_from(["", "https://", "https://a.example.com"]))
def test_a_wildcard_never_reaches_beyond_its_domain(text: str, before: str) -> None:
    origins = Origins.of(["https://*.example.com"])
    origin = before + text
    if origins.allow(origin):
        assert origin.lower().startswith("https://")
        assert origin.lower().endswith(".example.com")
        host = origin[8:]
        assert host.isascii()
        assert not set(host) & set("/:?#@\\ \r\n\t%")


RULE = CORSRule.of(allow_origins=["https://a.example"], allow_methods=["GET", "PUT"])


@pytest.mark.parametrize(
    ("origin", "method", "headers", "answer"),
    [
        ("https://b.example", "GET", "", "origin_not_allowed"),
        ("null", "GET", "", "origin_not_allowed"),
        ("https://a.example", "DELETE", "", "method_not_allowed"),
        ("https://a.example", "get", "", "method_not_allowed"),
        ("https://a.example", "GET", "x-odd", "header_not_allowed"),
        ("https://a.example", "GET", "authorization, x-odd", "header_not_allowed"),
    ],
)
def test_a_preflight_is_refused_with_a_reason(
    origin: str, method: str, headers: str, answer: str
) -> None:
    assert RULE.preflight(origin, method, headers) == answer


def test_a_preflight_is_told_what_it_asked_for() -> None:
    assert RULE.preflight("HTTPS://a.example", "PUT", "Authorization,ocs-apirequest, ,") == [
        (b"access-control-allow-origin", b"HTTPS://a.example"),
        (b"access-control-allow-methods", b"PUT"),
        (b"access-control-allow-headers", b"Authorization, ocs-apirequest"),
        (b"access-control-max-age", b"600"),
    ]


def test_stars_allow_every_name_but_no_nonsense() -> None:
    rule = CORSRule.of(allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], max_age=None)
    assert rule.preflight("https://b.example", "FROB", "x-odd") == [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", b"FROB"),
        (b"access-control-allow-headers", b"x-odd"),
    ]
    assert rule.preflight("https://b.example", "GET\r\nX: y", "") == "method_not_allowed"
    assert rule.preflight("https://b.example", "GET", "a b") == "header_not_allowed"


def test_an_actual_request_is_granted_by_origin_and_method() -> None:
    rule = CORSRule.of(
        allow_origins=["https://a.example"], allow_methods=["GET"], allow_credentials=True
    )
    granted = [
        (b"access-control-allow-origin", b"https://a.example"),
        (b"access-control-allow-credentials", b"true"),
    ]
    assert rule.actual("https://a.example", "GET") == granted
    assert rule.actual("https://a.example", "OPTIONS") == granted
    assert rule.actual("https://a.example", "PUT") == []
    assert rule.actual("https://b.example", "GET") == []


def test_credentials_and_every_origin_are_refused_together() -> None:
    assert CORSRule.of(allow_origins=["*"]).origins.every
    assert CORSRule.of(allow_origins=["https://*.a.example"], allow_credentials=True).credentials
    with pytest.raises(ConfigError, match="would let every web site act as the user"):
        CORSRule.of(allow_origins=["https://a.example", "*"], allow_credentials=True)


@pytest.mark.parametrize(
    "options",
    [
        {"allow_methods": ["GET,PUT"]},
        {"allow_headers": ["X Y"]},
        {"allow_headers": ["X\r\nY"]},
        {"expose_headers": [""]},
        {"expose_headers": ["*"], "allow_credentials": True},
        {"allow_origins": "https://a.example"},
        {"max_age": -1},
        {"max_age": 86_401},
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        CORSRule.of(**options)  # type: ignore[arg-type]


def test_lists_of_names() -> None:
    assert tokens(b" a,\tb ,,c") == [b"a", b"b", b"c"]
    assert joined([b"Origin", b"Accept"], [b"origin", b"x"]) == b"Origin, Accept, x"
    assert joined([]) == b""
