"""`ocgate config show | check | docs`."""

import argparse
import json
import os
import sys

from ocgate.cli import Commands
from ocgate.config.load import DEFAULT, load
from ocgate.config.mistakes import Misconfigured, Remark
from ocgate.config.named_files import look_into
from ocgate.config.page import page, shown_values
from ocgate.core.errors import ConfigError
from ocgate.directory.users_file import load_users


def add_to(commands: Commands) -> None:
    """Add `config` and its own commands."""
    config = commands.add_parser("config", help="show, check or document the configuration")
    actions = config.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="print every value with where it came from")
    show.add_argument("--json", action="store_true", help="print it as JSON")
    show.add_argument("--changed", action="store_true", help="leave out what is the default")
    show.set_defaults(run=run_show)
    check = actions.add_parser("check", help="print all mistakes (exit code 1) and warnings")
    check.set_defaults(run=run_check)
    docs = actions.add_parser("docs", help="print the page about all settings")
    docs.set_defaults(run=run_docs)


def run_show(arguments: argparse.Namespace) -> int:
    """Print every value; secrets are masked."""
    lines = shown_values(load(os.environ))
    if arguments.changed:
        lines = [line for line in lines if line[2] != DEFAULT]
    if arguments.json:
        fields = ("name", "value", "origin")
        print(json.dumps([dict(zip(fields, line, strict=True)) for line in lines], indent=2))
        return 0
    width = max((len(name) for name, _, _ in lines), default=0)
    for name, value, origin in lines:
        print(f"{name:{width}}  {value or '-'}  ({origin})")
    return 0


def run_check(_arguments: argparse.Namespace) -> int:
    """Print what is ignored, then warnings and mistakes; 1 if there are mistakes."""
    ignored: tuple[object, ...] = ()
    mistakes: tuple[Remark, ...] = ()
    try:
        loaded = load(os.environ)
        mistakes, found = look_into(loaded.settings, os.environ)
        mistakes = (*mistakes, *_mistakes_in_users(loaded.settings.basic.users_file))
        warnings = (*loaded.warnings, *found)
        ignored = loaded.ignored
    except Misconfigured as error:
        mistakes, warnings = error.mistakes, error.warnings
    for setting in ignored:
        print(setting)
    for label, remarks in (("warning", warnings), ("mistake", mistakes)):
        for remark in remarks:
            print(f"{label}: {remark}", file=sys.stderr)
    print(f"mistakes: {len(mistakes)}, warnings: {len(warnings)}, ignored: {len(ignored)}")
    return 1 if mistakes else 0


def _mistakes_in_users(path: str) -> list[Remark]:
    try:
        if path:
            load_users(path)
    except ConfigError as error:
        return [Remark("", line) for line in str(error).splitlines()]
    return []


def run_docs(_arguments: argparse.Namespace) -> int:
    """Print docs/configuration.md."""
    print(page(), end="")
    return 0
