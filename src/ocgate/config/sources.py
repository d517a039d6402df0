"""Where the text of a setting comes from: variables, files of secrets, YAML files.

Later sources win: the default, `opencloud.yaml` and `ocis.yaml`, `<service>.yaml`, the
environment, the command line. Of several variables for one setting the last one that is set
wins. An empty variable is a value for text and lists; for everything else it is none, and said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ocgate.config.keys import Row
from ocgate.config.mistakes import Misconfigured, Remark
from ocgate.config.table import FILE_SUFFIX
from ocgate.config.yaml_nodes import Node, parse_yaml
from ocgate.core.errors import ConfigError
from ocgate.core.placeholders import substitute

SHARED_FILES = ("ocis.yaml", "opencloud.yaml")
COMMONS = "commons"
SECTIONS = ("proxy", "ocs", "ocgate")
"""Sections of the shared files that are also files of their own."""

Read = Callable[[str], str | None]
"""Returns the text of a file, or None where there is no such file. Raises OSError, ValueError."""


@dataclass(frozen=True, slots=True)
class Found:
    """The text of a setting (a list of texts for a list of YAML), and where it stands."""

    text: str | list[str]
    where: str


@dataclass(slots=True)
class Sources:
    """All sources of one process, and what is wrong with them."""

    environ: Mapping[str, str]
    read: Read
    overrides: Mapping[str, str] = field(default_factory=dict[str, str])
    documents: dict[str, list[Node]] = field(default_factory=dict[str, list[Node]])
    """By section, in order of precedence; the last one wins."""
    mistakes: list[Remark] = field(default_factory=list[Remark])
    warnings: list[Remark] = field(default_factory=list[Remark])

    def open_files(self, folder: str) -> None:
        """Read the YAML files of the configuration folder that are there."""
        shared = [node for name in SHARED_FILES if (node := self._file(folder, name))]
        self.documents[COMMONS] = shared
        for section in SECTIONS:
            parts = [part for node in shared if (part := node.at(section))]
            own = self._file(folder, f"{section}.yaml")
            self.documents[section] = [*parts, own] if own else parts

    def find(self, row: Row) -> Found | None:
        """Return the winning text of a setting; None means that the default stands."""
        if row.name in self.overrides:
            return Found(self.overrides[row.name], "command line")
        return self._variable(row) or self._yaml(row)

    def node(self, path: str) -> Node | None:
        """Return the winning node under `section:path`; null counts as absent."""
        section, _, inside = path.partition(":")
        nodes = [node.at(inside) for node in self.documents.get(section, ())]
        return next((node for node in reversed(nodes) if node and not node.is_null), None)

    def filled(self, node: Node) -> str:
        """Return a scalar with its placeholders filled in."""
        try:
            result = substitute(node.text or "", self.environ)
        except ConfigError as error:
            self.mistakes.append(Remark(node.place, str(error)))
            return ""
        for name in result.missing:
            self.warnings.append(Remark(node.place, f"the variable {name} is not set"))
        return result.text

    def secret_file(self, name: str, path: str) -> str | None:
        """Return a secret from the file that `<name>_FILE` names, without its last newline."""
        where = f"{name} ({path})"
        try:
            text = self.read(path)
        except (OSError, ValueError) as error:
            self.mistakes.append(Remark(where, f"cannot be read: {_reason(error)}"))
            return None
        if text is None:
            self.mistakes.append(Remark(where, "there is no such file"))
            return None
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            self.mistakes.append(Remark(where, "the file is empty"))
            return None
        return text

    def _variable(self, row: Row) -> Found | None:
        kind = row.key.kind
        found: Found | None = None
        for name in row.key.env:
            text = self.environ.get(name)
            path = self.environ.get(name + FILE_SUFFIX, "") if kind.secret else ""
            if path:
                if text:
                    twice = f"{name} and {name}{FILE_SUFFIX} are both set; only one can count"
                    self.mistakes.append(Remark(name, twice))
                secret = self.secret_file(name + FILE_SUFFIX, unquoted(path))
                if secret is not None:
                    found = Found(secret, f"{name}{FILE_SUFFIX} ({unquoted(path)})")
            elif text is not None:
                text = unquoted(text)
                if text or kind.takes_empty:
                    found = Found(text, name)
                else:
                    self.warnings.append(Remark(name, "is empty and counts as not set"))
        return found

    def _yaml(self, row: Row) -> Found | None:
        for path in reversed(row.key.yaml):
            node = self.node(path)
            if node is not None:
                return self._value(node, row)
        return None

    def _value(self, node: Node, row: Row) -> Found | None:
        kind = row.key.kind
        if node.text is not None:
            text = self.filled(node)
            if text or kind.takes_empty:
                return Found(text, node.place)
            self.warnings.append(Remark(node.place, "is empty and counts as not set"))
            return None
        if node.items is not None and kind.items is not None:
            texts = [item for item in node.items if item.text is not None]
            if len(texts) == len(node.items):
                return Found([self.filled(item) for item in texts], node.place)
        expected = f"a list of values ({kind.name})" if kind.items else f"one value ({kind.name})"
        self.mistakes.append(Remark(node.place, f"{expected} is expected here"))
        return None

    def _file(self, folder: str, name: str) -> Node | None:
        path = str(Path(folder) / name)
        try:
            text = self.read(path)
            return None if text is None else parse_yaml(text, path)
        except Misconfigured as error:
            self.mistakes += error.mistakes
        except (OSError, ValueError) as error:
            self.mistakes.append(Remark(path, f"cannot be read: {_reason(error)}"))
        return None


def unquoted(text: str) -> str:
    """Strip one pair of quotes around a value, which env files leave in it."""
    for quote in ("'", '"'):
        inner = text[1:-1]
        if len(text) > 1 and text == f"{quote}{inner}{quote}" and quote not in inner:
            return inner
    return text


def read_file(path: str) -> str | None:
    """Read a file from the disk. Raises OSError, and ValueError where it is not UTF-8."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        return None


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or "the system gives no reason"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
