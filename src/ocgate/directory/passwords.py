"""Passwords against bcrypt hashes, at a cost that does not tell why somebody was refused."""

import re
from hashlib import blake2b

import bcrypt

LONGEST_PASSWORD = 72
"""Bytes that bcrypt looks at; whatever follows them would be ignored."""

_BCRYPT = re.compile(rb"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


def is_bcrypt(password_hash: bytes) -> bool:
    """Say whether this is a bcrypt hash: `$2a$`, `$2b$` or `$2y$`, cost 4 to 31."""
    return _BCRYPT.fullmatch(password_hash) is not None


def password_matches(password: bytes, password_hash: bytes) -> bool:
    """Say whether the hash was made of this password; takes as long either way.

    Empty passwords, passwords with a NUL and passwords of more than 72 bytes never match:
    bcrypt would take them for others. Their refusal costs as much as any other, so call it in
    a thread.
    """
    usable = 0 < len(password) <= LONGEST_PASSWORD and b"\0" not in password
    matches = bcrypt.checkpw(password if usable else b"-", password_hash)
    return usable and matches


def decoy_hash(like: bytes, name: str) -> bytes:
    """Return a hash that no password fits, for a user who does not exist.

    It costs as much as `like` does and is always the same for one name.
    """
    text = blake2b(name.encode(errors="replace"), digest_size=27).hexdigest()[:53]
    # Salts end in one of `.Oeu` and digests in an even letter; the rest is free. A fitting
    # password would be a preimage of a digest that nobody has computed.
    return like[:7] + text[:21].encode() + b"." + text[22:52].encode() + b"."
