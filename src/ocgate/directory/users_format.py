"""The two forms of a users file, read into users or into a list of mistakes.

htpasswd (`htpasswd -nB name`), one user a line; blank lines and lines that begin with `#` are
left out, and so is whatever follows a second colon:

    alan:$2y$11$…

YAML, a list or a map by name; only the name is required, a user without `password_hash`
cannot log in with a password:

    users:
      - name: alan
        id: 4c510ada-c86b-4815-8820-42cdf82c3d51
        display_name: Alan Turing
        mail: alan@example.org
        roles: [user]
        groups: [physics]
        enabled: true
        password_hash: $2y$11$…
"""

import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import yaml

from ocgate.core.identity import Account
from ocgate.directory.passwords import is_bcrypt

NAMESPACE = uuid.UUID("6b0a9f0e-3f0c-5a2b-9d53-0f1c7a4be1d2")
"""Namespace of the ids (UUIDv5 of the folded name) of users whose file gives them none."""

_LONGEST_NAME = 255
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # lone surrogates have no UTF-8
_TEXTS = ("name", "id", "display_name", "mail", "password_hash")
_LISTS = ("roles", "groups")
_KEYS = (*_TEXTS, *_LISTS, "enabled")


@dataclass(frozen=True, slots=True)
class LocalUser:
    """An account with the bcrypt hash of its password, if it has one."""

    account: Account
    password_hash: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong in a line; the text never repeats a password hash."""

    line: int
    text: str


Entry = tuple[int, LocalUser]
"""A user and the line that the entry begins in."""


_REMEMBERED_LENGTH = 255
"""Longer names are nobody's, and are not worth their memory."""


def folded(name: str) -> str:
    """Return the form in which names are compared: letter case means nothing."""
    return _folded(name) if len(name) <= _REMEMBERED_LENGTH else _folded.__wrapped__(name)


@lru_cache(maxsize=1024)
def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def id_of(name: str) -> str:
    """Return the id of a user whose file gives none: the same after every restart."""
    return str(uuid.uuid5(NAMESPACE, folded(name)))


def parse_htpasswd(text: str) -> tuple[list[LocalUser], list[Mistake]]:
    """Return the users of an htpasswd file, and every mistake in it."""
    entries: list[Entry] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")  # noqa: PLW2901 - files edited on Windows
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, rest = line.partition(":")
        password_hash = rest.partition(":")[0].strip().encode()
        wrong = _wrong_name(name) if colon else "no colon: expected name:bcrypt-hash"
        if not wrong:
            wrong = _wrong_hash(password_hash)
        if wrong:
            mistakes.append(Mistake(number, wrong))
        else:
            entries.append((number, LocalUser(Account(id_of(name), name), password_hash)))
    mistakes.extend(_repeated(entries))
    return [user for _, user in entries], mistakes


def parse_yaml(text: str) -> tuple[list[LocalUser], list[Mistake]]:
    """Return the users of a YAML file, and every mistake in it."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return [], [Mistake(mark.line + 1 if mark else 1, error.problem or "not YAML")]
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        # Among them: an escape beyond Unicode, a version number of thousands of digits.
        return [], [Mistake(1, f"not YAML: {type(error).__name__}")]
    reader = _YAMLUsers()
    entries = list(reader.users(root))
    reader.mistakes.extend(_repeated(entries))
    return [user for _, user in entries], reader.mistakes


class _YAMLUsers:
    """Walks the nodes of a document, because only they know their lines."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def users(self, root: yaml.Node | None) -> Iterator[Entry]:
        if root is None:
            return
        for key, value in self._pairs(root, "the file"):
            if key.value != "users":
                self._wrong(key, f"unknown key {key.value!r}: expected users")
            elif isinstance(value, yaml.SequenceNode):
                for node in value.value:
                    yield from self._user(node, None)
            elif not _is_null(value):
                for name, node in self._pairs(value, "users"):
                    yield from self._user(node, name)

    def _user(self, node: yaml.Node, key: yaml.ScalarNode | None) -> Iterator[Entry]:
        before = len(self.mistakes)
        texts: dict[str, str] = {"name": key.value} if key else {}
        lists: dict[str, tuple[str, ...]] = {}
        enabled = True
        for name, value in self._pairs(node, "a user"):
            if name.value in _TEXTS:
                texts[name.value] = self._text(name.value, value)
            elif name.value in _LISTS:
                lists[name.value] = self._list(name.value, value)
            elif name.value == "enabled":
                enabled = self._flag(value)
            else:
                expected = ", ".join(_KEYS)
                self._wrong(name, f"unknown key {name.value!r}: expected one of {expected}")
        if key is not None and texts["name"] != key.value:
            self._wrong(node, f"name {texts['name']!r} differs from the key {key.value!r}")
        if wrong := _wrong_name(texts.get("name", "")):
            self._wrong(key or node, wrong)
        password_hash = texts.get("password_hash", "").encode(errors="replace")
        if password_hash and (wrong := _wrong_hash(password_hash)):
            self._wrong(node, wrong)
        if len(self.mistakes) > before:
            return
        account = Account(
            id=texts.get("id") or id_of(texts["name"]),
            name=texts["name"],
            display_name=texts.get("display_name", ""),
            mail=texts.get("mail", ""),
            roles=lists.get("roles", ()),
            groups=lists.get("groups", ()),
            enabled=enabled,
        )
        yield _line(key or node), LocalUser(account, password_hash or None)

    def _pairs(self, node: yaml.Node, what: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, f"{what} must be a map")
            return
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, "a key must be text")
            elif key.value in seen:
                self._wrong(key, f"{key.value!r} stands there twice")
            else:
                seen.add(key.value)
                yield key, value

    def _text(self, what: str, node: yaml.Node) -> str:
        if _is_null(node):
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self._wrong(node, f"{what} must be text")
            return ""
        text = str(node.value)
        if _CONTROL.search(text):
            self._wrong(node, f"{what} has a control character")
        return text

    def _list(self, what: str, node: yaml.Node) -> tuple[str, ...]:
        if _is_null(node):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self._wrong(node, f"{what} must be a list")
            return ()
        return tuple(self._text(what, item) for item in node.value)

    def _flag(self, node: yaml.Node) -> bool:
        if node.tag != "tag:yaml.org,2002:bool":
            self._wrong(node, "enabled must be true or false")
            return False
        return str(node.value).lower() in ("true", "yes", "on")

    def _wrong(self, node: yaml.Node, text: str) -> None:
        self.mistakes.append(Mistake(_line(node), text))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _wrong_name(name: str) -> str:
    if not name.strip():
        return "the user has no name"
    if ":" in name or _CONTROL.search(name):
        return f"{name!r}: a name cannot have a colon or a control character"
    if name != name.strip() or len(name) > _LONGEST_NAME:
        return (
            f"{name[:_LONGEST_NAME]!r}: a name has 1 to {_LONGEST_NAME} characters, no space around"
        )
    return ""


def _wrong_hash(password_hash: bytes) -> str:
    if is_bcrypt(password_hash):
        return ""
    return "not a bcrypt hash ($2a$, $2b$ or $2y$): make one with `ocgate hash-password`"


def _repeated(entries: Iterable[Entry]) -> Iterator[Mistake]:
    """Names that differ in letter case only count as repeated, and so do repeated ids."""
    names: dict[str, int] = {}
    ids: dict[str, int] = {}
    for line, user in entries:
        account = user.account
        first = names.setdefault(folded(account.name), line)
        if first != line:
            yield Mistake(line, f"the name {account.name!r} stands in line {first} already")
        elif (first := ids.setdefault(account.id, line)) != line:
            yield Mistake(line, f"the id {account.id!r} stands in line {first} already")
