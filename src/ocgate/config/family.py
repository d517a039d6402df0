"""Names that oCIS and OpenCloud read and ocgate does not, and names that nobody reads.

`family_keys.tsv` lists the family's names, one service a line: environment variables in the
spelling of OpenCloud (oCIS writes `OCIS_` for `OC_`), and the YAML paths of the files that
ocgate reads. `shared` and `commons` stand for names that several services read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

from ocgate.config.mistakes import Remark
from ocgate.config.table import VARIABLES

OWN_PREFIXES = ("PROXY_", "OCS_", "OCGATE_")
FAMILY_PREFIXES = ("OC_", "OCIS_")
_ALIKE = 0.85
"""How alike two names are when one is taken for the other misspelt (1 means equal)."""


@dataclass(frozen=True, slots=True, order=True)
class Ignored:
    """A setting that is there and that ocgate has no use for."""

    name: str
    service: str

    def __str__(self) -> str:
        return f"{self.name}: ignored ({_belongs_to(self.service)})"


@cache
def family_names(kind: Literal["env", "yaml"]) -> Mapping[str, str]:
    """Map each name of the family to its service; YAML paths are written `section:path`."""
    text = resources.files("ocgate.config").joinpath("family_keys.tsv").read_text("utf-8")
    names: dict[str, str] = {}
    for line in text.splitlines():
        found, service, listed = line.split("\t")
        if found == kind:
            prefix = f"{service}:" if kind == "yaml" else ""
            names.update((prefix + name, service) for name in listed.split())
    return MappingProxyType(names)


def sort_out(environ: Iterable[str]) -> tuple[tuple[Ignored, ...], tuple[Remark, ...]]:
    """Return what is ignored of an environment, and a warning for each misspelt name."""
    ignored: list[Ignored] = []
    warnings: list[Remark] = []
    for name in sorted(environ):
        if name in VARIABLES:
            continue
        service = family_names("env").get(_in_opencloud(name))
        if service is not None:
            ignored.append(Ignored(name, service))
        elif name.startswith((*OWN_PREFIXES, *FAMILY_PREFIXES)):
            near = nearest(name)
            if near:
                warnings.append(Remark(name, f"nobody reads this; did you mean {near}?"))
            elif name.startswith(OWN_PREFIXES):
                warnings.append(Remark(name, "nobody reads this"))
    return tuple(ignored), tuple(warnings)


def nearest(name: str) -> str:
    """Return the name that is most like this one, or nothing."""
    known = [*VARIABLES, *_spelled_like(name)]
    return next(iter(get_close_matches(name, known, n=1, cutoff=_ALIKE)), "")


def _spelled_like(name: str) -> Iterator[str]:
    for known in family_names("env"):
        if name.startswith("OCIS_") and known.startswith("OC_"):
            yield "OCIS_" + known.removeprefix("OC_")
        else:
            yield known


def _in_opencloud(name: str) -> str:
    return "OC_" + name.removeprefix("OCIS_") if name.startswith("OCIS_") else name


def _belongs_to(service: str) -> str:
    if service in ("shared", "commons"):
        return "several services of the family read it"
    return f"belongs to the service {service}"
