"""Credentials that were touched, guessed or garbled: a 401, and the server behind sees nothing."""

import json
import re
from collections.abc import Callable

import pytest

from tests.real.scene import PASSWORD, Scene, request
from tests.support.gate import MARY
from tests.support.presign import presigned, target_of
from tests.support.wire import basic_header

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
    answer = scene.refuses(request(password=b"Authorization: " + value), 401)
    assert answer.header("WWW-Authenticate")


def test_two_credentials_in_one_header_are_refused(scene: Scene) -> None:
    scene.refuses(request(password=PASSWORD + b", Basic bWFyeTpkZW1v"), 400)


Replacement = str | Callable[[re.Match[str]], str]


def capitals(found: re.Match[str]) -> str:
    return found[0].upper()


PRESIGNED_GARBAGE: dict[str, tuple[str, str, Replacement]] = {
    "last digit": ("malformed", r"(?<=OC-Signature=)(.*).$", r"\1x"),
    "no signature": ("malformed", r"OC-Signature=.*", "OC-Signature="),
    "capitals": ("malformed", r"(?<=OC-Signature=).*", capitals),
    "umlaut": ("malformed", r"OC-Signature=.*", "OC-Signature=%C3%BC"),
    "not UTF-8": ("malformed", r"OC-Signature=.*", "OC-Signature=%FF"),
    "NUL": ("malformed", r"OC-Signature=.*", "OC-Signature=%00"),
    "long signature": ("malformed", r"OC-Signature=.*", "OC-Signature=" + "ab" * 2000),
    "signature twice": ("malformed", r"(OC-Signature=.*)", r"\1&\1"),
    "nobody": ("unknown_user", r"OC-Credential=\w+", "OC-Credential=nobody"),
    "somebody else": ("no_key", r"OC-Credential=\w+", "OC-Credential=mary"),
    "empty credential": ("malformed", r"OC-Credential=\w+", "OC-Credential="),
    "wildcard": ("unknown_user", r"OC-Credential=\w+", "OC-Credential=*"),
    "NATS wildcard": ("unknown_user", r"OC-Credential=\w+", "OC-Credential=%3E"),
    "NUL in the credential": ("malformed", r"OC-Credential=\w+", "OC-Credential=alan%00"),
    "credential that is not UTF-8": ("malformed", r"OC-Credential=\w+", "OC-Credential=%FF"),
    "long credential": ("unknown_user", r"OC-Credential=\w+", "OC-Credential=" + "a" * 4000),
    "credential twice": ("malformed", r"(OC-Credential=\w+)", r"\1&\1"),
    "no credential": ("malformed", r"OC-Credential=\w+&", ""),
    "no date": ("malformed", r"OC-Date=[^&]+&", ""),
    "old date": ("expired", r"OC-Date=20..", "OC-Date=2001"),
    "future date": ("not_yet_valid", r"OC-Date=20..", "OC-Date=2099"),
    "year 9999": ("not_yet_valid", r"OC-Date=20..", "OC-Date=9999"),
    "date without a zone": ("malformed", r"(OC-Date=[^&]+)Z", r"\1"),
    "no such date": ("malformed", r"(OC-Date=\d+-)\d\d", r"\g<1>13"),
    "garbage date": ("malformed", r"OC-Date=[^&]+", "OC-Date=tomorrow"),
    "no expiry": ("malformed", r"OC-Expires=\d+&", ""),
    "expiry zero": ("malformed", r"OC-Expires=\d+", "OC-Expires=0"),
    "negative expiry": ("malformed", r"OC-Expires=\d+", "OC-Expires=-1"),
    "huge expiry": ("malformed", r"OC-Expires=\d+", "OC-Expires=" + "9" * 4000),
    "expiry in other digits": ("malformed", r"OC-Expires=\d+", "OC-Expires=%D9%A1%D9%A2"),
    "expiry as a duration": ("malformed", r"OC-Expires=\d+", "OC-Expires=1h60"),
    "other verb": ("method_mismatch", r"OC-Verb=GET", "OC-Verb=PUT"),
    "no verb": ("malformed", r"&OC-Verb=GET", ""),
    "half an escape": ("malformed", r"OC-Verb=GET", "OC-Verb=G%4"),
    "other parameter": ("signature_mismatch", r"\?", "?added=1&"),
    "other parameter that parsers drop": ("malformed", r"$", "&a=1;b=2"),
    "other path": ("signature_mismatch", r"^/file", "/file2"),
}


@pytest.mark.parametrize("name", PRESIGNED_GARBAGE)
def test_a_presigned_url_that_was_touched_is_a_401_with_its_reason_in_the_log(
    scene: Scene, name: str
) -> None:
    reason, pattern, replacement = PRESIGNED_GARBAGE[name]
    good = target_of(scene.gate.presigned("GET", "/file"))
    touched = re.sub(pattern, replacement, good, count=1)
    assert touched != good
    # an address of its own, so that no case runs into the limit of the others
    source = f"127.0.1.{1 + list(PRESIGNED_GARBAGE).index(name)}"
    before = len(scene.gate.printed())
    answer = scene.refuses(request(touched.encode(), password=None), 401, source=source)
    assert answer.body == b""
    log = scene.gate.printed()[before:]
    reasons = [json.loads(line).get("reason") for line in log.splitlines() if '"reason"' in line]
    assert reasons == [reason], log
    assert good.rpartition("=")[2] not in log
    assert scene.send(request(good.encode(), password=None)).body == b"recorded"


def test_an_empty_or_guessed_key_signs_nothing(scene: Scene) -> None:
    """mary has no key until she fetches one."""
    for key in ("", "0" * 128, "null", "None"):
        url = presigned(f"{scene.gate.origin}/file", user="mary", key=key)
        scene.refuses(request(target_of(url).encode(), password=None), 401)
    url = scene.gate.presigned("GET", "/file", user=MARY[0])
    assert scene.send(request(target_of(url).encode(), password=None)).body == b"recorded"
