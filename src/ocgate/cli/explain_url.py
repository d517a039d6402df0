"""`ocgate explain-url`: say why a presigned URL is refused."""

import argparse
from datetime import UTC, datetime

from ocgate.app.state import State
from ocgate.cli import Commands
from ocgate.cli.offline import presigned_rules, with_state
from ocgate.config.settings import Settings
from ocgate.core.errors import BadRequest
from ocgate.core.presigned import PresignedURL, Problem
from ocgate.core.sign_url import Explanation, explain_url

_FITS = {True: "fits", False: "does not fit", None: "not tried: there is no key"}


def add_to(commands: Commands) -> None:
    """Add `explain-url`."""
    parser = commands.add_parser("explain-url", help="say why a presigned URL is refused")
    parser.add_argument("--user", help="whose key is tried; the user in OC-Credential by default")
    parser.add_argument("--method", default="GET", help="the method of the request (GET)")
    parser.add_argument("url", metavar="URL")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print each text that may have been signed and what is wrong; 1 if the URL is refused."""

    async def explain(settings: Settings, state: State) -> int:
        user = arguments.user or _credential(arguments.url)
        account = await state.users.find_by_name(user) if state.users and user else None
        origin = settings.door.public_url
        explanation = explain_url(
            arguments.url,
            method=arguments.method.upper(),
            now=datetime.now(UTC),
            rules=presigned_rules(settings),
            public_origin=origin.encode() if origin else None,
            keys=await state.keys.find(account.id) if account else None,
        )
        problems = list(explanation.problems)
        if user and account is None:
            problems.append(Problem("unknown_user", f"{user!r} is no user of this gate."))
        elif account is not None and not account.enabled:
            problems.append(Problem("unknown_user", f"{user!r} is disabled."))
        if not settings.presigned.enabled:
            problems.append(Problem("disabled", "PROXY_ENABLE_PRESIGNEDURLS is false."))
        _print(explanation, problems)
        return 1 if problems else 0

    return with_state(explain)


def _credential(url: str) -> str:
    # an argument that is not UTF-8 arrives with surrogates
    given = url.encode("utf-8", "surrogateescape").partition(b"://")[2]
    path, _, query = given.partition(b"?")
    try:
        presigned = PresignedURL.parse(b"/" + path.partition(b"/")[2], query)
    except BadRequest:
        return ""  # the explanation will say what is malformed
    return presigned.credential if presigned else ""


def _print(explanation: Explanation, problems: list[Problem]) -> None:
    for number, tried in enumerate(explanation.tried, 1):
        candidate = tried.candidate
        print(f"{number}. {candidate.text.decode('ascii', 'backslashreplace')}")
        print(f"   {candidate.origin}, {candidate.form}: {_FITS[tried.fits]}")
    for problem in problems:
        print(f"{problem.reason}: {problem.sentence}")
    print("refused" if problems else "accepted")
