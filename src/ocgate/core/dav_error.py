"""The XML body of an error for WebDAV clients, as sabre/dav and ownCloud write it.

Source: RFC 4918 §8.7 and §16 for `DAV:error`, sabre/dav for `s:exception` and `s:message`.
"""

from xml.sax.saxutils import escape

_METHODS = """
    PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK DELETE REPORT SEARCH ACL MKCALENDAR
"""
DAV_METHODS = frozenset(_METHODS.split())
"""Methods whose clients expect an error body in XML. DELETE is HTTP's, but the family has it."""

DAV_ERROR_TYPE = b"application/xml; charset=utf-8"

_SABRE_NAMES = {
    400: "BadRequest",
    401: "PermissionDenied",  # recorded: the family's name for it
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    412: "PreconditionFailed",
    415: "UnsupportedMediaType",
    423: "Locked",
    501: "NotImplemented",
    503: "ServiceUnavailable",
    507: "InsufficientStorage",
}


def dav_error(status: int, message: str) -> bytes:
    """Return the body for a status; `message` is shown to users."""
    name = _SABRE_NAMES.get(status, "")
    exception = "Sabre\\DAV\\Exception" + (f"\\{name}" if name else "")
    # XML 1.0 has no spelling for most control characters.
    text = "".join(c if c.isprintable() else " " for c in message)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<d:error xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns">'
        f"<s:exception>{exception}</s:exception><s:message>{escape(text)}</s:message></d:error>\n"
    ).encode()
