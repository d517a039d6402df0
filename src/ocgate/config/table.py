"""The one table of settings, collected from the sections of `Settings`.

The loader, `ocgate config show`, `ocgate config check` and docs/configuration.md are made from
it. A capability that needs a setting adds a row to a section, or a section to `Settings`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ocgate.config.keys import Row, rows_of
from ocgate.config.settings import Settings

TABLE: Final[tuple[Row, ...]] = rows_of(Settings)

FILE_SUFFIX: Final = "_FILE"
"""A secret's variable with this at its end names a file that holds the secret."""


def _names() -> dict[str, Row]:
    names: dict[str, Row] = {}
    for row in TABLE:
        for name in row.key.env:
            names.setdefault(name, row)
            if row.key.kind.secret:
                names.setdefault(name + FILE_SUFFIX, row)
    return names


VARIABLES: Final[Mapping[str, Row]] = MappingProxyType(_names())
"""Every environment variable that a row reads; a shared one belongs to its first row."""

YAML_PATHS: Final = frozenset(path for row in TABLE for path in row.key.yaml)
"""Every `section:path` that a row reads."""
