import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import BadRequest, ConfigError
from ocgate.core.presigned import PresignedURL, Rules, derive, find_match
from ocgate.core.signed_text import Candidate, candidates, origins

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "presigned.json").read_text(encoding="utf-8")
)["vectors"]
MARYS_KEY = b"cd" * 64
NOW = datetime(2025, 5, 22, 14, tzinfo=UTC)
KEY = b"ab" * 64
QUERY = (
    b"OC-Credential=alan&OC-Date=2025-05-22T13%3A59%3A50Z&OC-Expires=1200&OC-Verb=GET"
    b"&OC-Signature=" + b"0" * 64
)


def judged(vector: dict[str, Any]) -> str:
    """Go through the rules as the middleware does, without its memory; "" is an acceptance."""
    path, _, query = vector["target"].encode().partition(b"?")
    host = vector["host"].encode()
    try:
        url = PresignedURL.parse(path, query, host=host)
    except BadRequest:
        return "malformed"
    if url is None:
        return "none"
    now = datetime.fromisoformat(vector["now"])
    for problem in url.problems(method=vector["method"], now=now, rules=Rules()):
        return problem.reason
    keys = {"alan": vector["key"].encode(), "mary": MARYS_KEY}
    if url.credential not in keys:
        return "unknown_user"
    seen_at = origins(
        public=b"https://localhost:9200", host=host, scheme=vector["scheme"], forwarded=None
    )
    if url.origin is not None:
        seen_at = (("target", url.origin),)
    texts = candidates(url.path, url.canonical_query, seen_at)
    return "" if find_match(url.signature, texts, [keys[url.credential]]) else "signature_mismatch"


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_every_recorded_case_gets_its_answer(vector: dict[str, Any]) -> None:
    reason = judged(vector)
    if vector["ocgate"] == "accept":
        assert reason == "", vector["why"]
    elif vector["ocgate"] == "reject":
        assert reason != "", vector["why"]
    else:
        assert vector["ocgate"] == "either"


def test_the_canonical_text_is_the_one_that_the_family_signs() -> None:
    compared = 0
    for vector in VECTORS:
        path, _, query = vector["target"].encode().partition(b"?")
        try:
            url = PresignedURL.parse(path, query, host=vector["host"].encode())
        except BadRequest:
            continue
        if url is None or url.origin or not vector["string_to_sign"]:
            continue
        text = f"https://{vector['host']}".encode() + url.path + b"?" + url.canonical_query
        if not re.search(rb'["^`|]', url.path):
            assert text.decode() == vector["string_to_sign"]
            compared += 1
    assert compared > 60


def parsed(query: bytes = QUERY, path: bytes = b"/f") -> PresignedURL:
    url = PresignedURL.parse(path, query)
    assert url is not None
    return url


def reasons(url: PresignedURL, method: str = "GET", now: datetime = NOW, **rules: Any) -> list[str]:
    return [
        problem.reason for problem in url.problems(method=method, now=now, rules=Rules(**rules))
    ]


def test_a_well_formed_url_is_read() -> None:
    url = parsed(b"x=1&" + QUERY, b"/a%20b")
    assert (url.credential, url.expires, url.verb) == ("alan", 1200, "GET")
    assert url.date == datetime(2025, 5, 22, 13, 59, 50, tzinfo=UTC)
    assert url.seconds_left(NOW) == 1190
    assert url.canonical_query.startswith(b"x=1&OC-Credential=alan&")
    assert reasons(url) == []


def test_a_url_without_signature_is_not_ours() -> None:
    assert PresignedURL.parse(b"/f", QUERY.rpartition(b"&")[0]) is None
    assert PresignedURL.parse(b"/f", b"") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"OC-Signature=0", b"OC-Signature=A"),
        (b"OC-Signature=0", b"OC-Signature="),
        (b"OC-Signature=0", b"OC-Signature=%00"),
        (b"OC-Verb=GET", b"OC-Verb=GET&OC%2DVerb=PUT"),
        (b"OC-Verb=GET", b"OC-Verb=GET&OC-Odd=1&OC-Odd=1"),
        (b"OC-Verb=GET", b"OC-Verb=%FF"),
        (b"alan", b"al%00an"),
        (b"alan", b"al%0Aan"),
        (b"alan", b"%FF"),
        (b"alan", b""),
        (b"1200", b"1e3"),
        (b"1200", b"12345678901"),
        (b"13%3A59%3A50Z", b"13%3A59%3A60Z"),
        (b"13%3A59%3A50Z", b"24%3A00%3A00Z"),
        (b"T13", b"t13"),
        (b"50Z", b"50z"),
        (b"50Z", b"50"),
        (b"50Z", b"50%2B24%3A00"),
        (b"2025-", b"0000-"),
        (b"2025-", b"%D9%A1%D9%A2%D9%A0%D9%A0-"),
    ],
)
def test_malformed_parameters_are_refused(before: bytes, after: bytes) -> None:
    assert before in QUERY
    assert parsed(QUERY)
    with pytest.raises(BadRequest):
        PresignedURL.parse(b"/f", QUERY.replace(before, after))


@pytest.mark.parametrize(
    "path", [b"/a%zz", b"/a%00", b"/a\x00", b"/a#b", b"/../a", b"a", b"", b"http://h", b"ftp://h/"]
)
def test_a_path_that_nobody_forwards_is_refused(path: bytes) -> None:
    with pytest.raises(BadRequest):
        PresignedURL.parse(path, QUERY, host=b"h")


def test_an_absolute_form_has_to_agree_with_the_host() -> None:
    url = PresignedURL.parse(b"http://H:1/f", QUERY, host=b"h:1")
    assert url is not None
    assert (url.origin, url.path) == (b"http://H:1", b"/f")
    for target in (b"http://h:2/f", b"http://x@h:1/f", b"http://h:1@evil/f"):
        with pytest.raises(BadRequest):
            PresignedURL.parse(target, QUERY, host=b"h:1")


def test_it_is_valid_from_its_date_until_its_expiry() -> None:
    url = parsed()
    start = url.date
    assert reasons(url, now=start - timedelta(seconds=60)) == []
    assert reasons(url, now=start - timedelta(seconds=60.1)) == ["not_yet_valid"]
    assert reasons(url, now=start - timedelta(seconds=1), leeway=0) == ["not_yet_valid"]
    assert reasons(url, now=start + timedelta(seconds=1199.9)) == []
    assert reasons(url, now=start + timedelta(seconds=1200)) == ["expired"]


def test_it_may_not_live_longer_than_the_rules_say() -> None:
    assert reasons(parsed(QUERY.replace(b"1200", b"604800"))) == []
    assert reasons(parsed(QUERY.replace(b"1200", b"604801"))) == ["malformed"]
    assert reasons(parsed(), max_expires=1200) == []
    assert reasons(parsed(), max_expires=1199) == ["malformed"]
    assert "malformed" in reasons(parsed(QUERY.replace(b"1200", b"0")))


@pytest.mark.parametrize(
    ("verb", "method", "rules", "expected"),
    [
        ("GET", "GET", {}, []),
        ("get", "GET", {}, []),
        ("PUT", "PUT", {}, []),
        ("GET", "PUT", {}, ["method_mismatch"]),
        ("DELETE", "DELETE", {}, ["method_not_allowed"]),
        ("DELETE", "DELETE", {"allowed_methods": frozenset({"DELETE"})}, []),
        ("GET", "HEAD", {}, ["method_mismatch"]),
        ("GET", "HEAD", {"head_as_get": True}, []),
        ("GET", "HEAD", {"head_as_get": True, "allowed_methods": frozenset({"GET"})}, []),
        ("HEAD", "HEAD", {"allowed_methods": frozenset({"GET"})}, ["method_not_allowed"]),
        ("PUT", "HEAD", {"head_as_get": True}, ["method_mismatch"]),
        ("HEAD", "GET", {"head_as_get": True}, ["method_mismatch"]),
        ("GET", "get", {}, ["method_mismatch", "method_not_allowed"]),
    ],
)
def test_the_verb_is_the_method_and_allowed(
    verb: str, method: str, rules: dict[str, Any], expected: list[str]
) -> None:
    url = parsed(QUERY.replace(b"Verb=GET", f"Verb={verb}".encode()))
    assert reasons(url, method=method, **rules) == expected


@pytest.mark.parametrize(
    "rules",
    [
        {"allowed_methods": frozenset[str]()},
        {"allowed_methods": frozenset({"get"})},
        {"allowed_methods": frozenset({"GET POST"})},
        {"max_expires": 0},
        {"max_expires": 10**10},
        {"leeway": -1},
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: dict[str, Any]) -> None:
    assert Rules()
    with pytest.raises(ConfigError):
        Rules(**rules)


@dataclass
class Derivations:
    count: int = 0
    texts: list[bytes] = field(default_factory=list)


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> Derivations:
    seen = Derivations()
    real = hashlib.pbkdf2_hmac

    def counted(name: str, text: bytes, salt: bytes, iterations: int, length: int) -> bytes:
        seen.count += 1
        seen.texts.append(text)
        return real(name, text, salt, iterations, length)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    return seen


def test_the_previous_key_fits_too_within_eight_derivations(derivations: Derivations) -> None:
    texts = [Candidate("o", "f", b"%d" % n) for n in range(8)]
    old = b"cd" * 64
    assert find_match(derive(b"1", old), texts, (KEY, old)) == (texts[1], old)
    assert find_match(derive(b"0", KEY), texts, (KEY,)) == (texts[0], KEY)
    derivations.count = 0
    assert find_match(b"0" * 64, texts, (KEY, old)) is None
    assert derivations.count == 8
    assert find_match(b"0" * 64, texts, ()) is None
    assert derivations.count == 8


@given(st.binary(max_size=60), st.binary(max_size=120))
def test_no_bytes_raise_anything_but_bad_request(path: bytes, query: bytes) -> None:
    for text in (query, b"OC-Signature=" + query, QUERY + query, query + b"&" + QUERY):
        try:
            PresignedURL.parse(b"/" + path, text)
            PresignedURL.parse(path, text)
        except BadRequest:
            pass


PARAMETER = st.sampled_from(["Algo", "Credential", "Date", "Expires", "Signature", "Verb"])
VALUE = st.one_of(
    st.sampled_from(
        ["alan", "GET", "1200", "0" * 64, "2025-05-22T13:59:50Z", "0001-01-01T00:00:00%2B23:59",
         "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999999-23:59", "604800", ""]
    ),
    st.text(max_size=12),
)  # fmt: skip


@given(st.lists(st.tuples(PARAMETER, VALUE), max_size=9), st.sampled_from(["GET", "HEAD", "BREW"]))
def test_no_parameters_raise_anything_but_bad_request(
    parameters: list[tuple[str, str]], method: str
) -> None:
    query = "&".join(f"OC-{name}={value}" for name, value in parameters)
    try:
        url = PresignedURL.parse(b"/f", query.encode())
    except BadRequest:
        return
    if url is not None:
        assert len({name for name, _ in parameters}) == len(parameters)
        list(url.problems(method=method, now=NOW, rules=Rules()))


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(["+23:59", "-23:59", "Z"]))
def test_any_date_can_be_compared(date: datetime, zone: str) -> None:
    text = date.replace(tzinfo=None, microsecond=0).isoformat() + zone
    url = parsed(QUERY.replace(b"2025-05-22T13%3A59%3A50Z", text.replace("+", "%2B").encode()))
    assert set(reasons(url)) <= {"expired", "not_yet_valid"}
