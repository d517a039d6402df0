"""One row of the table of settings: what it is called where, its type, default and meaning.

A row stands where its value is declared, as the default of a dataclass field:

    tls: bool = key(BOOL, "Serve HTTPS.", default=False, env="PROXY_TLS", yaml="proxy:http.tls")

`env` lists names as the family does, separated by `;`: the last one that is set wins. Every
`OC_…` name is read in its oCIS spelling `OCIS_…` too. A secret can also come from the file that
`<name>_FILE` names. `yaml` lists `section:path`: a section is a file `<section>.yaml` and a
part of `opencloud.yaml` and `ocis.yaml`, whose top level is the section `commons`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Generic, TypeVar, cast

from ocgate.config.kinds import Kind

T = TypeVar("T")
_ROW = "ocgate.key"


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """What `key` was given."""

    kind: Kind[T]
    default: T
    doc: str
    env: tuple[str, ...]
    yaml: tuple[str, ...]

    @property
    def shown_default(self) -> str:
        """The default as an environment variable would have it."""
        return self.kind.show(self.default)


@dataclass(frozen=True, slots=True)
class Row:
    """A key with its place in the settings: `section` and `field`, dotted in `name`."""

    section: str
    field: str
    key: Key[Any]

    @property
    def name(self) -> str:
        """The dotted name: `door.address`."""
        return f"{self.section}.{self.field}"


def key(kind: Kind[T], doc: str, *, default: T, env: str = "", yaml: str = "") -> T:
    """Declare a row as the default of a dataclass field."""
    names: list[str] = []
    for name in filter(None, env.split(";")):
        if name.startswith("OC_"):
            names.append("OCIS_" + name.removeprefix("OC_"))
        names.append(name)
    row = Key(kind, default, doc, tuple(names), tuple(filter(None, yaml.split(";"))))
    declared: T = field(default=default, metadata={_ROW: row})
    return declared


def rows_of(settings: type) -> tuple[Row, ...]:
    """Collect the rows of a dataclass whose fields are dataclasses of rows."""
    return tuple(_rows(settings))


def _rows(settings: type) -> Iterator[Row]:
    for section in fields(cast("Any", settings)):
        if not is_dataclass(section.type):
            continue
        for one in fields(cast("Any", section.type)):
            if _ROW in one.metadata:
                yield Row(section.name, one.name, one.metadata[_ROW])
