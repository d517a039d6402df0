"""Local users: an htpasswd or YAML file, read again when it changes.

Names are compared without regard to letter case, as in the family's directory; two names in
one file that differ in nothing else are a mistake. Users without an id get the UUIDv5 of
their name in lower case (`users_format.NAMESPACE`), so ids survive restarts and are the same
on every replica that has the same file.
"""

import logging
import os
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from ocgate.core.errors import ConfigError
from ocgate.core.identity import Account
from ocgate.directory.passwords import decoy_hash
from ocgate.directory.users_format import LocalUser, folded, parse_htpasswd, parse_yaml

log = logging.getLogger("ocgate.directory")

_LOOK_AGAIN = 1.0  # seconds
_PROCESS_KEY = os.urandom(32)
_COST_11 = b"$2b$11$"  # what `htpasswd -B` users commonly have; stands in for an empty file


class LocalUsers:
    """The users of one file. Made by `load_users`; implements `ocgate.core.identity.Accounts`.

    The file is looked at once a second at most, when somebody asks. A file that cannot be
    read, or has a mistake, changes nothing: the mistake is logged once, with its line, and the
    users that were read last stay. `now` counts seconds.
    """

    def __init__(self, path: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._by_name: dict[str, LocalUser] = {}
        self._by_id: dict[str, Account] = {}
        self._hashes: list[bytes] = []
        self._seen = _state(path)
        self._looked = now()
        self._read()

    async def find_by_name(self, name: str, /) -> Account | None:
        """Return the account of that login name, disabled ones too; letter case is free."""
        user = self._user(name)
        return user.account if user else None

    async def find_by_id(self, account_id: str, /) -> Account | None:
        """Return the account with exactly that id, disabled ones too."""
        self._look()
        return self._by_id.get(account_id)

    def password_hash(self, name: str, /) -> bytes:
        """Return the user's bcrypt hash.

        For users who do not exist, or have no password, it is one that nothing fits. Its cost
        is that of some user in the file, always the same for one name, so the time that a
        check takes does not tell who exists.
        """
        user = self._user(name)
        if user is not None and user.password_hash is not None:
            return user.password_hash
        name = folded(name)
        digest = blake2b(name.encode(errors="replace"), key=_PROCESS_KEY, digest_size=8).digest()
        like = (
            self._hashes[int.from_bytes(digest) % len(self._hashes)] if self._hashes else _COST_11
        )
        return decoy_hash(like, name)

    def _user(self, name: str) -> LocalUser | None:
        self._look()
        return self._by_name.get(folded(name))

    def _look(self) -> None:
        now = self._now()
        if now - self._looked < _LOOK_AGAIN:
            return
        self._looked = now
        state = _state(self._path)
        if state == self._seen:
            return
        self._seen = state
        try:
            self._read()
        except ConfigError as error:
            mistake = str(error)
        else:
            log.info("the users file was read again", extra={"fields": {"users": len(self._by_id)}})
            return
        log.error(
            "the users file has a mistake: the users that were read before it stay",
            extra={"fields": {"error": mistake}},
        )

    def _read(self) -> None:
        users = read_users(self._path)
        self._by_name = {folded(user.account.name): user for user in users}
        self._by_id = {user.account.id: user.account for user in users}
        self._hashes = [user.password_hash for user in users if user.password_hash is not None]


def load_users(path: str | Path, *, now: Callable[[], float] = time.monotonic) -> LocalUsers:
    """Return the users of a file: YAML by its suffix (`.yaml`, `.yml`), htpasswd otherwise.

    Raises `ConfigError` with every mistake, one `file:line: …` a line.
    """
    return LocalUsers(Path(path), now=now)


def read_users(path: Path) -> list[LocalUser]:
    """Return the users that stand in the file at this moment; raises as `load_users`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8") from None
    parse = parse_yaml if path.suffix.lower() in (".yaml", ".yml") else parse_htpasswd
    users, mistakes = parse(text)
    if mistakes:
        mistakes.sort(key=lambda mistake: mistake.line)
        raise ConfigError("\n".join(f"{path}:{m.line}: {m.text}" for m in mistakes))
    return users


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino
