"""`ocgate signing-key rotate`: give a user a new signing key."""

import argparse

from ocgate.app.state import State
from ocgate.cli import Commands
from ocgate.cli.offline import account_named, with_state
from ocgate.config.settings import Settings
from ocgate.core.durations import format_duration


def add_to(commands: Commands) -> None:
    """Add `signing-key` and its actions."""
    parser = commands.add_parser("signing-key", help="manage the keys that URLs are signed with")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    rotate = actions.add_parser(
        "rotate", help="make a new key; URLs signed with the old one end after the grace time"
    )
    rotate.add_argument("--user", required=True)
    rotate.set_defaults(run=run_rotate)


def run_rotate(arguments: argparse.Namespace) -> int:
    """Give the user a new key. It is not printed: clients fetch it."""

    async def rotate(settings: Settings, state: State) -> int:
        account = await account_named(state, arguments.user)
        await state.keys.rotate(account.id)
        grace = format_duration(settings.signing_keys.grace)
        print(f"{account.name} has a new signing key; URLs of the old one end within {grace}")
        return 0

    return with_state(rotate)
