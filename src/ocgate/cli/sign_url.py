"""`ocgate sign-url`: make a presigned URL for a user."""

import argparse
import sys
from datetime import UTC, datetime, timedelta

from ocgate.app.state import State
from ocgate.cli import Commands
from ocgate.cli.offline import account_named, presigned_rules, with_state
from ocgate.config.settings import Settings
from ocgate.core.durations import format_duration, parse_duration
from ocgate.core.errors import ConfigError
from ocgate.core.sign_url import sign_url


def add_to(commands: Commands) -> None:
    """Add `sign-url`."""
    parser = commands.add_parser("sign-url", help="make a presigned URL")
    parser.add_argument("--user", required=True, help="name of the user it acts for")
    parser.add_argument("--method", default="GET", help="GET (the default), HEAD, PUT …")
    parser.add_argument("--expires", default="1h", help="how long it works: 20m, 1h (the default)")
    parser.add_argument("url", metavar="URL", help="as the client will ask for it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the URL; the user's signing key is made if there is none."""
    try:
        expires = int(parse_duration(arguments.expires) / timedelta(seconds=1))
    except ValueError as error:
        raise ConfigError(f"--expires: {error}") from None
    method = arguments.method.upper()

    async def sign(settings: Settings, state: State) -> int:
        account = await account_named(state, arguments.user)
        rules = presigned_rules(settings)
        if not settings.presigned.enabled:
            _warn("the gate accepts no presigned URLs: PROXY_ENABLE_PRESIGNEDURLS is false")
        if method not in rules.allowed_methods:
            _warn(
                f"the gate refuses {method}; it allows {', '.join(sorted(rules.allowed_methods))}"
            )
        if expires > rules.max_expires:
            _warn(f"the gate refuses it: it may be valid for {rules.max_expires} s at most")
        ttl = settings.signing_keys.ttl
        if ttl and expires > ttl.total_seconds():
            _warn(f"the key lives {format_duration(ttl)} unless its user fetches it again")
        key = await state.keys.find_or_create(account.id)
        url = sign_url(
            arguments.url,
            user=account.name,
            method=method,
            expires=expires,
            key=key,
            now=datetime.now(UTC),
        )
        print(url)
        return 0

    return with_state(sign)


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
