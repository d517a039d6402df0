import json
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.ocs import Envelope, failure, format_of, http_status, parse_path, success

KEY = "19b511cbaedebe60126073eaa70f8399"


def test_json_is_as_recorded() -> None:
    assert success(1, {"user": "u", "signing-key": KEY}).encoded("json") == (
        b'{"ocs":{"meta":{"status":"ok","statuscode":100,"message":"OK"},'
        b'"data":{"user":"u","signing-key":"' + KEY.encode() + b'"}}}\n'
    )
    assert failure(998, "not found").encoded("json") == (
        b'{"ocs":{"meta":{"status":"error","statuscode":998,"message":"not found"}}}\n'
    )


def test_xml_is_as_recorded() -> None:
    assert success(2, {"user": "u", "signing-key": KEY}).encoded("xml") == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b"<ocs><meta><status>ok</status><statuscode>200</statuscode><message>OK</message></meta>"
        b"<data><user>u</user><signing-key>" + KEY.encode() + b"</signing-key></data></ocs>"
    )
    assert failure(998, "not found").encoded("xml") == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b"<ocs><meta><status>error</status><statuscode>998</statuscode>"
        b"<message>not found</message></meta></ocs>"
    )


def test_the_members_of_a_list_are_elements() -> None:
    body = success(1, ["a", {"n": 1, "none": None}]).encoded("xml")
    assert b"<element>a</element><element><n>1</n><none></none></element></data>" in body
    assert json.loads(success(1, ["a"]).encoded("json"))["ocs"]["data"] == ["a"]


def test_special_characters_are_escaped_as_go_does_it() -> None:
    envelope = failure(400, '<a href="x">&\'\t\r\n\x00\u2028ü')
    assert (
        b"<message>&lt;a href=&#34;x&#34;&gt;&amp;&#39;&#x9;&#xD;&#xA;"
        b"\xef\xbf\xbd\xe2\x80\xa8\xc3\xbc</message>"
    ) in envelope.encoded("xml")
    body = envelope.encoded("json")
    assert rb'"message":"\u003ca href=\"x\"\u003e\u0026' in body
    assert rb"\t\r\n\u0000\u2028" in body


@given(st.text())
def test_any_text_makes_a_body_that_can_be_read(text: str) -> None:
    envelope = Envelope("ok", 100, text, {"user": text})
    root = ET.fromstring(envelope.encoded("xml"))
    assert root.findtext("meta/statuscode") == "100"
    read = json.loads(envelope.encoded("json"))["ocs"]
    assert read["data"]["user"] == read["meta"]["message"]
    assert read["data"]["user"] == text.encode("utf-8", "replace").decode()


def test_lone_surrogates_do_no_harm() -> None:
    envelope = failure(400, "a\ud800")
    assert json.loads(envelope.encoded("json"))["ocs"]["meta"]["message"] == "a?"
    assert b"<message>a\xef\xbf\xbd</message>" in envelope.encoded("xml")


@pytest.mark.parametrize(
    ("statuscode", "first", "second"),
    [(100, 200, 200), (200, 200, 200), (996, 200, 500), (997, 401, 401), (998, 200, 404),
     (999, 200, 500), (400, 200, 400), (404, 200, 404), (102, 200, 400), (0, 200, 200)],
)  # fmt: skip
def test_version_two_says_it_with_the_http_status(statuscode: int, first: int, second: int) -> None:
    assert http_status(1, statuscode) == first
    assert http_status(2, statuscode) == second


@pytest.mark.parametrize(
    ("query", "form"),
    [(b"", "xml"), (b"format=", "xml"), (b"format=xml", "xml"), (b"format=json", "json"),
     (b"format=junk", "json"), (b"format=JSON", "json"), (b"format=XML", "json"),
     (b"a=1&format=json&format=xml", "json"), (b"%zz&format=%6Ason", "json"), (b"format", "xml")],
)  # fmt: skip
def test_only_xml_or_nothing_is_xml(query: bytes, form: str) -> None:
    assert format_of(query) == form


@given(st.binary())
def test_any_query_has_a_format(query: bytes) -> None:
    assert format_of(query) in ("json", "xml")
    assert format_of(b"format=json&" + query) == "json"


def test_a_path_has_a_version() -> None:
    assert parse_path(b"/ocs/v1.php/cloud/user") == (1, b"/cloud/user")
    assert parse_path(b"/ocs/v2.php") == (2, b"")
    for path in (b"/ocs/v3.php/x", b"/ocs/v1xphp/", b"/ocs/v1.phpx", b"/ocs/v1.php\n", b""):
        assert parse_path(path) is None
