"""User name and password as the Basic scheme carries them (RFC 7617)."""

import binascii
from dataclasses import dataclass, field

from ocgate.core.identity import Rejection

MALFORMED = Rejection("malformed")

_CONTROLS = frozenset([*range(0x20), 0x7F])
_LONGEST = 8192  # base64 text; the header limits of servers allow more, no credential needs it


@dataclass(frozen=True, slots=True)
class BasicPassword:
    """What was presented, well-formed but unbelieved."""

    name: str
    password: bytes = field(repr=False)

    @classmethod
    def parse(cls, authorization: bytes) -> "BasicPassword | Rejection | None":
        """Return the credential in an `Authorization` value.

        None for another scheme. A rejection for what RFC 7617 §2 does not allow: base64 that
        is not exactly what an encoder writes, text that is not UTF-8, no colon, a control
        character. The name may be empty only together with a password, as app tokens are sent.
        """
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"basic":
            return None
        token = token.strip(b" ")
        if len(token) > _LONGEST:
            return MALFORMED
        try:
            pair = binascii.a2b_base64(token, strict_mode=True)
            text = pair.decode()
        except ValueError:  # binascii.Error and UnicodeDecodeError both are
            return MALFORMED
        name, colon, _ = text.partition(":")
        if not colon or _CONTROLS.intersection(pair):
            return MALFORMED
        if binascii.b2a_base64(pair, newline=False) != token:
            return MALFORMED  # bits that nobody encoded: one credential has one spelling
        return cls(name, pair[len(name.encode()) + 1 :])
