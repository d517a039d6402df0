"""What the gate keeps and knows: stores, signing keys, accounts."""

from dataclasses import dataclass
from datetime import timedelta

from ocgate.config.settings import Settings
from ocgate.config.settings import Store as StoreChoice
from ocgate.core.identity import Account
from ocgate.directory.users_file import LocalUsers, load_users
from ocgate.stores.base import Store
from ocgate.stores.open import open_store
from ocgate.stores.settings import StoreSettings
from ocgate.stores.signing_keys import SigningKeys

DATABASE = "proxy"
"""The family's name for the database (NATS: the bucket) of the signing keys."""

KEYS = "signing-keys"
PREVIOUS_KEYS = "previous-signing-keys"
"""Not a continuation of `KEYS`: in Redis the names of a table begin with the table's name."""


class NoAccounts:
    """The directory of a gate without a users file: nobody exists."""

    async def find_by_name(self, _name: str, /) -> Account | None:
        """Return None."""
        return None

    async def find_by_id(self, _account_id: str, /) -> Account | None:
        """Return None."""
        return None


@dataclass(frozen=True, slots=True)
class State:
    """Everything with a life of its own; `aclose` ends it."""

    keys: SigningKeys
    key_store: Store
    previous_key_store: Store
    users: LocalUsers | None

    async def aclose(self) -> None:
        """Let go of connections and files."""
        await self.key_store.aclose()
        await self.previous_key_store.aclose()


def open_state(settings: Settings) -> State:
    """Make the stores and read the users file. Raises ConfigError; nothing is asked of a server."""
    chosen = store_settings(settings.key_store)
    ttl = settings.signing_keys.ttl or None
    current = open_store(chosen, database=DATABASE, table=KEYS, ttl=ttl)
    previous = open_store(chosen, database=DATABASE, table=PREVIOUS_KEYS, ttl=ttl)
    keys = SigningKeys(current, previous, ttl=ttl, grace=settings.signing_keys.grace)
    users = load_users(settings.basic.users_file) if settings.basic.users_file else None
    return State(keys, current, previous, users)


def store_settings(choice: StoreChoice) -> StoreSettings:
    """Translate what an operator chose into what the stores take."""
    return StoreSettings(
        kind=choice.kind,
        nodes=choice.nodes,
        username=choice.username,
        password=choice.password.value,
        path=choice.path,
        timeout=choice.timeout / timedelta(seconds=1),
        registry=choice.registry,
        registry_username=choice.registry_username,
        registry_password=choice.registry_password.value,
    )
