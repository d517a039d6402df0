"""Names in YAML files: which are read, which belong to the family, which to nobody."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from ocgate.config.family import Ignored, family_names
from ocgate.config.mistakes import Remark
from ocgate.config.sources import COMMONS, SECTIONS
from ocgate.config.table import YAML_PATHS
from ocgate.config.yaml_nodes import Node

_BY_HAND = ("proxy:policies", "proxy:additional_policies", "proxy:policy_selector")
"""Paths below which `policies` looks itself."""


def check_names(
    documents: Mapping[str, Sequence[Node]],
) -> tuple[tuple[Ignored, ...], tuple[Remark, ...]]:
    """Return the family's names that are ignored, and a warning for each name nobody reads."""
    ignored: list[Ignored] = []
    unknown: list[Remark] = []
    for section, nodes in documents.items():
        for node in nodes:
            for path, found in _leaves(section, node):
                if found is None:
                    ignored.append(Ignored(f"{section}:{path}", section))
                else:
                    unknown.append(Remark(found.place, _nobody(section, path)))
    return tuple(dict.fromkeys(ignored)), tuple(dict.fromkeys(unknown))


def _leaves(section: str, node: Node, above: str = "") -> Iterator[tuple[str, Node | None]]:
    """Yield each path that is not read: with None if the family knows it, else with its node."""
    for name, value in (node.entries or {}).items():
        path = f"{above}.{name}" if above else name
        full = f"{section}:{path}"
        if full in YAML_PATHS or full in _BY_HAND or (section == COMMONS and path in SECTIONS):
            continue
        if full in family_names("yaml") or (section == COMMONS and path in _sections()):
            yield path, None
        elif (value.entries is not None or value.is_null) and _is_stem(full):
            yield from _leaves(section, value, path)
        else:
            yield path, value


def _is_stem(path: str) -> bool:
    stem = path + "."
    return any(known.startswith(stem) for known in (*YAML_PATHS, *family_names("yaml")))


def _sections() -> set[str]:
    """Return the names of the family's services as they head a part of the shared files."""
    services = set(family_names("env").values())
    return services | {name.replace("-", "_") for name in services} | {"registry"}


def _nobody(section: str, path: str) -> str:
    known = {
        full.partition(":")[2]
        for full in (*YAML_PATHS, *family_names("yaml"))
        if full.startswith(section + ":")
    }
    near = get_close_matches(path, known, n=1)
    return f"nobody reads {path!r}" + (f"; did you mean {near[0]}?" if near else "")
