"""The envelope of the Open Collaboration Services, version 1 and 2, as JSON or XML.

Version 1 answers nearly everything with HTTP 200 and says in the envelope how it went;
version 2 uses the HTTP status. Recorded: opencloud `01_signing_key.http`; the statuscodes are
those of ownCloud's OCS API (996 server error, 997 unauthorised, 998 not found, 999 unknown).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl

Version = Literal[1, 2]
Format = Literal["json", "xml"]
Data: TypeAlias = "str | int | Mapping[str, Data] | Sequence[Data] | None"

NOT_FOUND = 998
UNAUTHORISED = 997

CONTENT_TYPES: Mapping[Format, bytes] = {
    "json": b"application/json",
    "xml": b"application/xml; charset=utf-8",
}

_PATH = re.compile(rb"/ocs/v([12])\.php(/.*)?", re.DOTALL)
_HTTP_STATUS = {NOT_FOUND: 404, UNAUTHORISED: 401, 996: 500, 999: 500}

# As Go's encoders write them, so that a comparison byte for byte holds.
_JSON_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_XML_ESCAPES = {
    ord(char): f"&{name};"
    for char, name in {
        "&": "amp", "<": "lt", ">": "gt", '"': "#34", "'": "#39",
        "\t": "#x9", "\n": "#xA", "\r": "#xD",
    }.items()
}  # fmt: skip
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Envelope:
    """One OCS answer. `data` is left out where it is None; its names are XML names."""

    status: str
    statuscode: int
    message: str
    data: Data = None

    def encoded(self, form: Format) -> bytes:
        """Return the body."""
        meta: dict[str, Data] = {
            "status": self.status,
            "statuscode": self.statuscode,
            "message": self.message,
        }
        payload: dict[str, Data] = {"meta": meta}
        if self.data is not None:
            payload["data"] = self.data
        if form == "json":
            text = json.dumps({"ocs": payload}, ensure_ascii=False, separators=(",", ":"))
            return text.translate(_JSON_ESCAPES).encode("utf-8", "replace") + b"\n"
        text = '<?xml version="1.0" encoding="UTF-8"?>\n' + _element("ocs", payload)
        return text.encode()


def success(version: Version, data: Data) -> Envelope:
    """Return the answer of a call that went well."""
    return Envelope("ok", 100 if version == 1 else 200, "OK", data)


def failure(statuscode: int, message: str) -> Envelope:
    """Return the answer of a call that did not."""
    return Envelope("error", statuscode, message)


def http_status(version: Version, statuscode: int) -> int:
    """Return the HTTP status that goes with an OCS statuscode."""
    if version == 1:
        return 401 if statuscode == UNAUTHORISED else 200
    if statuscode in _HTTP_STATUS:
        return _HTTP_STATUS[statuscode]
    if 200 <= statuscode < 600:  # noqa: PLR2004 - the range of HTTP
        return statuscode
    return 400 if 100 < statuscode < 200 else 200  # noqa: PLR2004 - 100 is success


def parse_path(raw_path: bytes) -> tuple[Version, bytes] | None:
    """Return the version and the rest of a path below `/ocs/v1.php` or `/ocs/v2.php`."""
    found = _PATH.fullmatch(raw_path)
    if found is None:
        return None
    return (1 if found[1] == b"1" else 2), found[2] or b""


def format_of(query: bytes) -> Format:
    """Return what `format=` asks for: XML if it is absent, empty or `xml`, otherwise JSON.

    The `Accept` header is not looked at, and the first of several counts.
    """
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    wanted = next((value for name, value in pairs if name == "format"), "")
    return "xml" if wanted in ("", "xml") else "json"


def _element(name: str, value: Data) -> str:
    if isinstance(value, str | int):
        inner = _NO_XML.sub("\ufffd", str(value)).translate(_XML_ESCAPES)
    elif value is None:
        inner = ""
    elif isinstance(value, Mapping):
        inner = "".join(_element(key, item) for key, item in value.items())
    else:
        inner = "".join(_element("element", item) for item in value)
    return f"<{name}>{inner}</{name}>"
