"""`ocgate csp check`: what a csp.yaml becomes, and what in it deserves a second look."""

import argparse
import os
import sys
from pathlib import Path
from typing import get_args

from ocgate.cli import Commands
from ocgate.config.csp_file import Mode, load_policy
from ocgate.core.errors import ConfigError

_ABOUT = """\
Print the Content-Security-Policy header that these files become, with the environment's
variables filled in. Warnings go to standard error and do not change the exit code; mistakes
are all printed, each with file and line, and the exit code is 1.
"""


def add_to(commands: Commands) -> None:
    """Add `csp check` to the commands."""
    csp = commands.add_parser("csp", help="look at Content-Security-Policy files")
    check = csp.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check", help="print the final header, or every mistake", description=_ABOUT
    )
    check.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="csp.yaml; none: the default policy"
    )
    check.add_argument(
        "--mode",
        choices=get_args(Mode),
        default="auto",
        help="merge the files into the default policy or replace it with them; auto, the default,"
        " replaces it when a file has default-src",
    )
    check.add_argument(
        "--override",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a file that replaces all others",
    )
    check.add_argument("--issuer", default="", metavar="URL", help="the OIDC issuer to allow")
    check.add_argument(
        "--report-only", action="store_true", help="look at it as a report-only policy"
    )
    check.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    try:
        loaded = load_policy(
            args.files,
            environ=os.environ,
            mode=args.mode,
            overrides=args.override,
            issuer=args.issuer,
            report_only=args.report_only,
        )
    except ConfigError as error:
        for mistake in str(error).splitlines():
            print(f"error: {mistake}", file=sys.stderr)
        return 1
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if loaded.adds_to_default and args.mode == "auto":
        print(
            "note: no file has default-src, so they are added to the default policy;"
            " --mode replace leaves it out",
            file=sys.stderr,
        )
    header = "Content-Security-Policy" + ("-Report-Only" if args.report_only else "")
    print(f"{header}: {loaded.policy.header}")
    return 0
