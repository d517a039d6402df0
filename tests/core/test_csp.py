import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.csp import DEFAULT_POLICY, Policy, merged, origin_of
from ocgate.core.errors import ConfigError

VALUES = st.text(alphabet=st.characters(codec="latin-1"), max_size=20) | st.sampled_from(
    ["'self'", "a; script-src *", "a, b", "a\r\nSet-Cookie: x", "$NONCE", "https://é.example"]
)
NAMES = st.sampled_from(
    ["default-src", "IMG-src", "x y", "sandbox", "report-to", "a;b", "upgrade-insecure-requests"]
)


def test_the_default_is_the_family_s() -> None:
    assert DEFAULT_POLICY.header == (
        "child-src 'self'; connect-src 'self' blob: "
        "https://raw.githubusercontent.com/opencloud-eu/awesome/; default-src 'none'; "
        "font-src 'self'; frame-ancestors 'self'; frame-src 'self' blob: "
        "https://embed.diagrams.net/; img-src 'self' data: blob: "
        "https://raw.githubusercontent.com/opencloud-eu/awesome/; manifest-src 'self'; "
        "media-src 'self'; object-src 'self' blob:; script-src 'self' 'unsafe-inline'; "
        "style-src 'self' 'unsafe-inline'"
    )


def test_directives_are_sorted_and_values_keep_their_order() -> None:
    policy = Policy.of(
        {"upgrade-insecure-requests": None, "img-src": ["b", "a"], "default-src": "'self'  x "}
    )
    assert policy.header == "default-src 'self' x; img-src b a; upgrade-insecure-requests"
    assert policy.values("img-src") == ("b", "a")
    assert policy.values("font-src") is None


def test_names_ignore_case() -> None:
    assert Policy.of({"Img-Src": "x"}).header == "img-src x"
    with pytest.raises(ConfigError, match="img-src: given twice"):
        Policy.of({"Img-Src": "x", "img-src": "y"})


def test_the_text_of_a_header_is_read() -> None:
    assert Policy.parse(DEFAULT_POLICY.header) == DEFAULT_POLICY
    assert Policy.parse(" img-src  x;;sandbox ; ").header == "img-src x; sandbox"
    with pytest.raises(ConfigError, match="given twice"):
        Policy.parse("img-src a; IMG-SRC b")
    for text in ("", " ; ", "img-src a, script-src b"):
        with pytest.raises(ConfigError):
            Policy.parse(text)


@pytest.mark.parametrize(
    ("directives", "why"),
    [
        ({"img-src": ["a; script-src *"]}, "another directive"),
        ({"img-src": ["a,b"]}, "another policy"),
        ({"img-src": ["a\nX-Evil: 1"]}, "line break"),
        ({"img-src": ["a\rb"]}, "line break"),
        ({"img-src": ["a\tb"]}, "control character"),
        ({"img-src": ["a\x00b"]}, "control character"),
        ({"img-src": ["a\x7fb"]}, "control character"),
        ({"img-src": ["https://bücher.example"]}, "not ASCII"),
        ({"img-src": ["'nonce-$NONCE'"]}, "nonce"),
        ({"img-src": []}, "has no values"),
        ({"img-src": None}, "has no values"),
        ({"img src": ["x"]}, "not the name of a directive"),
        ({"": ["x"]}, "not the name of a directive"),
        ({"x;y": ["x"]}, "not the name of a directive"),
        ({"upgrade-insecure-requests": ["x"]}, "takes no values"),
        ({"report-to": ["a", "b"]}, "one group"),
        ({"require-trusted-types-for": ["script"]}, "must be"),
        ({"frame-ancestors": ["'unsafe-inline'"]}, "may say"),
        ({}, "empty header"),
    ],
)
def test_what_would_break_a_policy_is_refused(
    directives: dict[str, list[str] | None], why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        Policy.of(directives)


def test_neighbours_of_the_refused_are_accepted() -> None:
    policy = Policy.of(
        {
            "frame-ancestors": ["'self'", "https://a.example"],
            "img-src": ["https://a.example/%3B%2C", "$NONCE"],
            "report-to": ["a"],
            "require-trusted-types-for": ["'script'"],
            "sandbox": [],
        }
    )
    assert policy.has_nonce
    assert "img-src https://a.example/%3B%2C $NONCE" in policy.header


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Policy.of({"img-src": ["a;", "b,"], "font-src": [], "bad name": ["x"]})
    assert len(str(caught.value).splitlines()) == 4


@given(st.dictionaries(NAMES | st.text(max_size=8), st.lists(VALUES, max_size=4), max_size=5))
def test_no_text_becomes_another_directive_or_header(directives: dict[str, list[str]]) -> None:
    try:
        policy = Policy.of(directives)
    except ConfigError:
        return
    assert re.fullmatch(r"[\x20-\x2b\x2d-\x7e]+", policy.header)
    parts = policy.header.split("; ")
    assert [part.split(" ")[0] for part in parts] == sorted(name.lower() for name in directives)
    assert policy.header.count(";") == len(directives) - 1
    assert Policy.parse(policy.header) == policy


@given(st.text(max_size=60))
def test_any_header_text_is_read_or_refused(text: str) -> None:
    try:
        policy = Policy.parse(text)
    except ConfigError:
        return
    assert Policy.parse(policy.header) == policy


@pytest.mark.parametrize(
    ("below", "above", "result"),
    [
        (("a", "b"), ("b", "c"), ("a", "b", "c")),
        (("'none'",), ("c",), ("c",)),
        (("a",), ("'none'",), ("'none'",)),
        (("a",), (), ("a",)),
        (("'none'",), (), ("'none'",)),
    ],
)
def test_a_policy_laid_over_another_adds_its_values(
    below: tuple[str, ...], above: tuple[str, ...], result: tuple[str, ...]
) -> None:
    assert merged([{"x-src": below, "y": ("y",)}, {"x-src": above, "z": ("z",)}]) == {
        "x-src": result,
        "y": ("y",),
        "z": ("z",),
    }


def test_the_last_report_to_wins() -> None:
    assert merged([{"report-to": ("a",)}, {"report-to": ("b",)}]) == {"report-to": ("b",)}


def test_the_issuer_joins_connections_and_frames() -> None:
    issuer = "https://pocket-id.company.com/realms/x"
    policy = DEFAULT_POLICY.with_issuer(issuer)
    for name in ("connect-src", "frame-src"):
        values = policy.values(name)
        assert values is not None
        assert values[-1:] == ("https://pocket-id.company.com",)
    assert policy.with_issuer(issuer) == policy
    changed = dict(policy.directives).items() - dict(DEFAULT_POLICY.directives).items()
    assert {name for name, _ in changed} == {"connect-src", "frame-src"}


def test_the_issuer_inherits_what_the_directive_falls_back_to() -> None:
    policy = Policy.of({"default-src": "'self'", "child-src": "'none'"})
    assert policy.with_issuer("https://idp.example:8443/").header == (
        "child-src 'none'; connect-src 'self' https://idp.example:8443; "
        "default-src 'self'; frame-src https://idp.example:8443"
    )


def test_nothing_is_added_where_the_issuer_is_allowed_already() -> None:
    policy = Policy.of({"connect-src": "https://idp.example/", "frame-src": "*"})
    assert policy.with_issuer("https://idp.example") == policy
    open_policy = Policy.of({"img-src": "'self'"})
    assert open_policy.with_issuer("https://idp.example") == open_policy


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://IDP.example/x?y#z", "https://idp.example"),
        ("http://127.0.0.1:9555", "http://127.0.0.1:9555"),
        ("http://[::1]:80/", "http://[::1]:80"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_the_origin_of_a_url(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    ["", "idp.example", "https://", "ftp://a", "https://a;b", "https://a b", "https://a\n.b",
     "https://*", "https://a:x", "https://[::1", "https://..", "https://a,b", "javascript:1"],
)  # fmt: skip
def test_what_is_no_url_has_no_origin(url: str) -> None:
    with pytest.raises(ConfigError):
        origin_of(url)


@given(st.text(max_size=40) | st.text(max_size=30).map("https://".__add__))
def test_an_origin_is_always_safe_to_put_into_a_policy(url: str) -> None:
    try:
        origin = origin_of(url)
    except ConfigError:
        return
    assert Policy.of({"img-src": [origin]}).header == f"img-src {origin}"
