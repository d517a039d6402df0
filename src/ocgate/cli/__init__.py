"""The command line: `ocgate <command>`.

Each command is a module of this package with `add_to(commands)`, which adds its parser and sets
the default `run`, a function from the parsed arguments to the exit code: 0 well, 1 refused with
sentences on standard error, 2 wrong usage. Only the module of the command that is given is
imported, so `ocgate --version` and a mistyped command answer at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, Protocol

from ocgate import __version__
from ocgate.core.errors import OcgateError

COMMANDS: Final[tuple[tuple[str, str, str], ...]] = (
    # command, module of this package, line in `ocgate --help`
    ("serve", "serve", "run the gate"),
    ("sign-url", "sign_url", "make a presigned URL"),
    ("explain-url", "explain_url", "say why a presigned URL is refused"),
    ("signing-key", "signing_key", "manage the keys that URLs are signed with"),
    ("hash-password", "hash_password", "print the bcrypt hash of a password"),
    ("config", "config", "show, check or document the configuration"),
    ("csp", "csp", "look at Content-Security-Policy files"),
    ("store-service", "store_service", "serve the family's store service over gRPC, persistent"),
)


class Commands(Protocol):
    """What `add_to` of a module gets: argparse's sub-parsers."""

    def add_parser(
        self,
        name: str,
        *,
        help: str | None = None,  # noqa: A002 - argparse's word
        description: str | None = None,
    ) -> argparse.ArgumentParser:
        """Add the parser of one command."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = parser(next(iter(words), "")).parse_args(words)
        run: Callable[[argparse.Namespace], int] = arguments.run
        code = run(arguments)
        sys.stdout.flush()
    except SystemExit as wanted:
        return wanted.code if isinstance(wanted.code, int) else 2
    except OcgateError as error:
        # Who runs a command may read what a client must not: the reason behind the sentence.
        reason = f" ({error.detail})" if error.detail else ""
        for line in f"{error}{reason}".splitlines():
            print(f"ocgate: {line}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader of a pipe has seen enough; the interpreter must not try once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def parser(given: str = "") -> argparse.ArgumentParser:
    """Return the parser with all commands, of which only the given one knows its options."""
    whole = argparse.ArgumentParser(
        prog="ocgate", description="A gate in front of a file server that somebody already runs."
    )
    whole.add_argument("--version", action="version", version=f"ocgate {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command, module, line in COMMANDS:
        if command == given:
            import_module(f"{__name__}.{module}").add_to(commands)
        else:
            commands.add_parser(command, help=line)
    return whole
