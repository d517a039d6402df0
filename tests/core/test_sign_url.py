import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.errors import BadRequest
from ocgate.core.presigned import Rules
from ocgate.core.sign_url import Explanation, explain_url, sign_url

KEY = b"ab" * 64
NOW = datetime(2025, 5, 22, 14, tzinfo=UTC)
URL = "https://cloud.example/dav/k1.bin"


def signed(url: str = URL, user: str = "alan", method: str = "GET", expires: int = 1200) -> str:
    return sign_url(url, user=user, method=method, expires=expires, key=KEY, now=NOW)


def explained(
    url: str,
    method: str = "GET",
    now: datetime = NOW,
    keys: tuple[bytes, ...] | None = (KEY,),
    public_origin: bytes | None = None,
) -> Explanation:
    return explain_url(
        url, method=method, now=now, rules=Rules(), keys=keys, public_origin=public_origin
    )


def reasons(explanation: Explanation) -> list[str]:
    return [problem.reason for problem in explanation.problems]


def test_a_signature_is_the_one_that_the_family_makes() -> None:
    key = (
        b"abababababababababababababababababababababababababababababababab"
        b"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    )
    url = sign_url(
        "https://localhost:9200/remote.php/webdav/k1.bin",
        user="alan",
        method="GET",
        expires=1200,
        key=key,
        now=NOW - timedelta(seconds=10),
    )
    assert url == (
        "https://localhost:9200/remote.php/webdav/k1.bin?OC-Credential=alan"
        "&OC-Date=2025-05-22T13%3A59%3A50Z&OC-Expires=1200&OC-Verb=GET"
        "&OC-Algo=PBKDF2%2F10000-SHA512&OC-Signature="
        "5b95b434f6ce6c67ec5c8a1c98e15f79612270baf4ba0633e20947372603c307"
    )


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "http://127.0.0.1:9200/",
        "http://[::1]:9200",
        "https://cloud.example/ä b/[$]%20&'.txt?a=1&b=ü x&flag",
        'https://cloud.example/100%25"^|.txt',
        "https://cloud.example/a%2Fb?x=%3B",
    ],
)
def test_what_was_signed_is_accepted(url: str) -> None:
    for user, method in (("alan", "GET"), ("Ålan + co@example.org", "PUT")):
        made = signed(url, user, method)
        assert made.isascii()
        explanation = explained(made, method)
        assert explanation.problems == ()
        assert any(attempt.fits for attempt in explanation.tried)


@pytest.mark.parametrize(
    "url",
    [
        "/dav/k1.bin",
        "ftp://cloud.example/f",
        "https://",
        "https://u:p@cloud.example/f",
        "https://cloud.example/f#part",
        "https://clöud.example/f",
        "https://cloud.example/%zz",
        "https://cloud.example/../f",
        "https://cloud.example/f?a=1;b=2",
        "https://cloud.example/f?OC-Verb=GET",
        "https://cloud.example/\ud800",
    ],
)
def test_what_is_no_signable_url_is_refused(url: str) -> None:
    assert signed()
    with pytest.raises(BadRequest):
        signed(url)


@pytest.mark.parametrize(
    ("user", "method", "expires"),
    [("", "GET", 1), ("a\nb", "GET", 1), ("a\ud800", "GET", 1), ("a", "get", 1), ("a", "GET", 0),
     ("a", "", 1), ("a", "GET", 10**10)],
)  # fmt: skip
def test_what_makes_no_signature_is_refused(user: str, method: str, expires: int) -> None:
    with pytest.raises(BadRequest):
        signed(URL, user, method, expires)


def test_every_problem_is_named() -> None:
    url = signed()
    assert reasons(explained(url, "PUT", NOW + timedelta(hours=1))) == [
        "method_mismatch",
        "expired",
    ]
    assert reasons(explained(url, keys=())) == ["no_key"]
    assert reasons(explained(url, keys=(b"cd" * 64,))) == ["signature_mismatch"]
    assert reasons(explained(url, keys=(b"cd" * 64, KEY))) == []
    assert reasons(explained(URL)) == ["malformed"]
    assert reasons(explained(url.replace("1200", "x"))) == ["malformed"]
    with pytest.raises(BadRequest):
        explained("k1.bin")


def test_each_text_is_shown_and_the_right_signature_never() -> None:
    url = signed()
    tampered = url.replace("/k1", "/k2")
    explanation = explained(tampered, public_origin=b"https://cloud.example:8443")
    assert [attempt.candidate.text.decode().partition("?")[0] for attempt in explanation.tried] == [
        "https://cloud.example:8443/dav/k2.bin",
        "https://cloud.example/dav/k2.bin",
    ]
    assert [attempt.fits for attempt in explanation.tried] == [False, False]
    right = signed("https://cloud.example/dav/k2.bin").rpartition("=")[2]
    assert right not in repr(explanation)


def test_without_a_key_nobody_knows_whether_a_text_fits() -> None:
    explanation = explained(signed(), keys=None)
    assert explanation.problems == ()
    assert [attempt.fits for attempt in explanation.tried] == [None]


@given(st.text(max_size=60))
def test_no_text_raises_anything_but_bad_request(text: str) -> None:
    for url in (text, "https://h/" + text, URL + "?OC-Signature=" + text):
        with contextlib.suppress(BadRequest):
            signed(url)
        with contextlib.suppress(BadRequest):
            explained(url, keys=None)
