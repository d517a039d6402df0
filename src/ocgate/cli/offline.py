"""What the commands share that work on the stores directly, with or without a running gate."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta

from ocgate.app.state import State, open_state
from ocgate.config.load import load
from ocgate.config.settings import Settings
from ocgate.core.errors import ConfigError
from ocgate.core.identity import Account
from ocgate.core.presigned import Rules

_SECOND = timedelta(seconds=1)


def with_state(work: Callable[[Settings, State], Awaitable[int]]) -> int:
    """Load the configuration, open the stores, do the work, close them; returns the exit code."""
    settings = load(os.environ).settings

    async def run() -> int:
        state = open_state(settings)
        try:
            return await work(settings, state)
        finally:
            await state.aclose()

    return asyncio.run(run())


async def account_named(state: State, name: str) -> Account:
    """Return that account. Raises ConfigError if there is none."""
    if state.users is None:
        raise ConfigError("there are no users: OCGATE_USERS_FILE names no file")
    account = await state.users.find_by_name(name)
    if account is None:
        raise ConfigError(f"there is no user {name!r}")
    return account


def presigned_rules(settings: Settings) -> Rules:
    """Return what the gate allows of presigned URLs."""
    presigned = settings.presigned
    return Rules(
        allowed_methods=frozenset(presigned.methods),
        head_as_get=presigned.head_as_get,
        max_expires=int(presigned.max_expires / _SECOND),
        leeway=int(presigned.leeway / _SECOND),
    )
