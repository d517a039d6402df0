from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocgate.core.dav_error import DAV_METHODS, dav_error


@pytest.mark.parametrize(
    ("status", "exception"),
    [
        (401, "Sabre\\DAV\\Exception\\PermissionDenied"),
        (403, "Sabre\\DAV\\Exception\\Forbidden"),
        (502, "Sabre\\DAV\\Exception"),
    ],
)
def test_the_body_is_what_sabre_writes(status: int, exception: str) -> None:
    root = ET.fromstring(dav_error(status, "Authentication error"))
    assert root.tag == "{DAV:}error"
    assert [child.tag for child in root] == [
        "{http://sabredav.org/ns}exception",
        "{http://sabredav.org/ns}message",
    ]
    assert [child.text for child in root] == [exception, "Authentication error"]


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_any_message_makes_well_formed_xml(message: str) -> None:
    ET.fromstring(dav_error(400, message))


def test_plain_http_methods_are_not_dav() -> None:
    assert not DAV_METHODS & {"GET", "HEAD", "PUT", "POST", "OPTIONS", "PATCH"}
    assert {"PROPFIND", "MKCOL", "MOVE", "DELETE"} <= DAV_METHODS
