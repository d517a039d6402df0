"""From environment and files to `Settings`, once, with every mistake at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ocgate.config.completion import complete_paths, completed
from ocgate.config.family import Ignored, sort_out
from ocgate.config.keys import Row
from ocgate.config.mistakes import Misconfigured, Remark
from ocgate.config.policies import Policies
from ocgate.config.services import chosen
from ocgate.config.settings import Settings
from ocgate.config.sources import Found, Read, Sources, read_file
from ocgate.config.table import TABLE
from ocgate.config.yaml_names import check_names

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and what the operator should know about them.

    `origins` says for each dotted name where the value came from: `default`, the name of a
    variable, a file with its line, `command line`.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[Remark, ...]
    ignored: tuple[Ignored, ...]


def load(
    environ: Mapping[str, str],
    *,
    read: Read = read_file,
    overrides: Mapping[str, str] | None = None,
) -> Loaded:
    """Load the configuration of one process.

    `overrides` maps dotted names to text that wins over everything else. Raises `Misconfigured`
    with all mistakes, and with the warnings that were found on the way.
    """
    sources = Sources(environ, read, overrides or {})
    reading = _Reading(sources)
    paths = complete_paths(reading.section("paths").paths, environ)
    sources.open_files(paths.config)
    settings = replace(reading.section(*_SECTIONS), paths=paths)
    services = chosen(settings.runtime, sources.mistakes, sources.warnings)
    routes = Policies(sources, settings.upstream, services).routes()
    settings = completed(replace(settings, services=services, routes=routes), sources)
    ignored, misspelt = sort_out(environ)
    foreign, unknown = check_names(sources.documents)
    warnings = (*sources.warnings, *misspelt, *unknown)
    if sources.mistakes:
        raise Misconfigured(sources.mistakes, warnings)
    return Loaded(settings, reading.origins, warnings, (*ignored, *foreign))


_SECTIONS = tuple(dict.fromkeys(row.section for row in TABLE if row.section != "paths"))


@dataclass(slots=True)
class _Reading:
    """Reads rows and remembers where each value came from."""

    sources: Sources
    origins: dict[str, str] = field(default_factory=dict[str, str])

    def section(self, *names: str) -> Settings:
        """Return default settings with these sections read."""
        values: dict[str, dict[str, Any]] = {name: {} for name in names}
        for row in TABLE:
            if row.section in values:
                values[row.section][row.field] = self._value(row)
        defaults = Settings()
        sections: dict[str, Any] = {
            name: replace(getattr(defaults, name), **fields) for name, fields in values.items()
        }
        return replace(defaults, **sections)

    def _value(self, row: Row) -> object:
        found = self.sources.find(row)
        self.origins[row.name] = found.where if found else DEFAULT
        if found is None:
            return row.key.default
        try:
            return _parsed(row, found)
        except ValueError as error:
            self.sources.mistakes.append(Remark(found.where, str(error)))
            return row.key.default


def _parsed(row: Row, found: Found) -> object:
    kind = row.key.kind
    if isinstance(found.text, str):
        return kind.parse(found.text)
    if kind.items is None:
        raise ValueError(f"one value is expected here ({kind.name})")
    return kind.items(found.text)
