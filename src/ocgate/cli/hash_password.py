"""`ocgate hash-password`: a bcrypt hash for the users file."""

import argparse
import getpass
import sys

import bcrypt

from ocgate.cli import Commands
from ocgate.core.errors import ConfigError

COST = 11
"""Two to the power of this many rounds; a check takes about 0.2 s."""

MOST_BYTES = 72
"""bcrypt looks no further, so a longer password would be cut in silence."""


def add_to(commands: Commands) -> None:
    """Add `hash-password`."""
    parser = commands.add_parser("hash-password", help="print the bcrypt hash of a password")
    parser.set_defaults(run=run)


def run(_arguments: argparse.Namespace) -> int:
    """Read a password (asked for twice at a terminal, one line otherwise) and print its hash."""
    if sys.stdin.isatty():
        try:
            password, again = getpass.getpass("Password: "), getpass.getpass("Again: ")
        except EOFError:
            raise ConfigError("no password was given") from None
        if password != again:
            raise ConfigError("the two are not the same")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    try:
        data = password.encode()
    except UnicodeEncodeError:
        # Input that is not UTF-8 has surrogates, and no client sends such a password (RFC 7617).
        raise ConfigError("a password is text in UTF-8") from None
    if not data or len(data) > MOST_BYTES or b"\0" in data:
        raise ConfigError(f"a password has 1 to {MOST_BYTES} bytes and no NUL")
    print(bcrypt.hashpw(data, bcrypt.gensalt(COST)).decode())
    return 0
