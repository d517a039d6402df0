"""csp.yaml: the Content-Security-Policy as the ownCloud family's operators write it.

    directives:
      connect-src:
        - '''self'''
        - 'https://${IDP_DOMAIN|idp.example.org}/'

1. `directives` maps the name of a directive to a list of values, or to one value.
2. Values may contain placeholders (`ocgate.core.placeholders`).
3. Several files are merged in their order (`ocgate.core.csp.merged`). Below them lies the
   default policy in mode `merge`; nothing in mode `replace`; in mode `auto`, the default one,
   the default policy unless one of the files has `default-src` and so is a whole policy.
4. Override files, if there are any, are merged with each other and replace everything else.
5. All mistakes of all files are reported at once, each with file and line.

Source: OpenCloud's `LoadCSPConfig` (replace) and its releases from 4.0 (merge, override).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from glob import glob
from pathlib import Path
from typing import Literal, get_args

import yaml

from ocgate.core.csp import (
    DEFAULT_POLICY,
    NONE,
    REPORTING,
    VALUELESS,
    Policy,
    merged,
    mistakes_in,
    unsafe,
    values_of,
)
from ocgate.core.csp_lint import lint
from ocgate.core.errors import ConfigError
from ocgate.core.placeholders import substitute

Mode = Literal["auto", "merge", "replace"]

_ROOT = "directives"
_TEXT = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy and what its operator should know about it, one line each.

    `adds_to_default` says that the files were added to the default policy.
    """

    policy: Policy
    warnings: tuple[str, ...] = ()
    adds_to_default: bool = False


def load_policy(
    files: Sequence[Path] = (),
    *,
    environ: Mapping[str, str],
    mode: Mode = "auto",
    overrides: Sequence[Path] = (),
    issuer: str = "",
    report_only: bool = False,
) -> LoadedPolicy:
    """Read csp.yaml files into the policy that is sent.

    `issuer` is the URL of the OIDC issuer, whose origin pages may then talk to. Without files
    the result is the default policy. Raises `ConfigError`, one line for each mistake.
    """
    if mode not in get_args(Mode):
        raise ConfigError(f"the mode of a CSP is auto, merge or replace, not {mode!a}")
    reading = _Reading(environ)
    layers = [reading.file(path) for path in overrides or files]
    if reading.mistakes:
        raise ConfigError("\n".join(reading.mistakes))
    on_default = not overrides and _stands_on_default(layers, mode)
    if on_default:
        layers = [dict(DEFAULT_POLICY.directives), *layers]
    policy = Policy.of(_settled(merged(layers)))
    if issuer:
        policy = policy.with_issuer(issuer)
    warnings = (*reading.warnings, *_linted(policy, reading, report_only))
    return LoadedPolicy(policy, warnings, adds_to_default=on_default and bool(files))


def expand(patterns: Iterable[str]) -> list[Path]:
    """Return the files that names and globs (`* ? [`) stand for, those of a glob sorted.

    Raises `ConfigError` for a glob that nothing matches; a plain name is returned as it is.
    """
    found: list[Path] = []
    for pattern in patterns:
        is_glob = any(character in pattern for character in "*?[")
        names = sorted(glob(pattern)) if is_glob else [pattern]  # noqa: PTH207 - may be absolute
        if not names:
            raise ConfigError(f"{pattern}: no file matches")
        found += map(Path, names)
    return found


@dataclass(slots=True)
class _Reading:
    """What is found while files are read: mistakes, warnings, and where each value stands."""

    environ: Mapping[str, str]
    mistakes: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])
    places: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def file(self, path: Path) -> dict[str, tuple[str, ...]]:
        """Return the directives of one file; a blank one has no values."""
        try:
            root = _composed(path)
        except ConfigError as error:
            self.mistakes.append(str(error))
            return {}
        top = [] if root is None else self._entries(root, path)
        found: dict[str, tuple[str, ...]] = {}
        for top_name, key, value in top:
            if top_name != _ROOT:
                hint = "; did you mean directives?" if get_close_matches(top_name, [_ROOT]) else ""
                self.warnings.append(f"{_at(path, key)}: {top_name!a} means nothing here{hint}")
                continue
            directives = self._entries(value, path, names_ignore_case=True)
            if isinstance(value, yaml.MappingNode) and not value.value:
                self.mistakes.append(f"{_at(path, key)}: `{_ROOT}:` is empty")
            for name, directive, values in directives:
                found[name] = self._directive(name, directive, values, path)
        if _ROOT not in [name for name, _, _ in top]:
            self.mistakes.append(f"{path}: has no `{_ROOT}:`, so it would send no policy at all")
        return found

    def _entries(
        self, node: yaml.Node, path: Path, *, names_ignore_case: bool = False
    ) -> list[tuple[str, yaml.Node, yaml.Node]]:
        """Return name, key and value of a mapping's entries; each name may be there once."""
        if not isinstance(node, yaml.MappingNode):
            self.mistakes.append(f"{_at(path, node)}: expected `name: values` lines")
            return []
        entries: list[tuple[str, yaml.Node, yaml.Node]] = []
        lines: dict[str, int] = {}
        for key, value in node.value:
            place = _at(path, key)
            if not isinstance(key, yaml.ScalarNode) or key.tag != _TEXT:
                self.mistakes.append(f"{place}: a name must be text")
                continue
            name = key.value.lower() if names_ignore_case else key.value
            if name != key.value:
                self.warnings.append(f"{place}: {key.value!a} is sent as {name!a}")
            if name in lines:
                self.mistakes.append(f"{place}: {name!a} is already in line {lines[name]}")
            lines.setdefault(name, _line(key))
            entries.append((name, key, value))
        return entries

    def _directive(self, name: str, key: yaml.Node, node: yaml.Node, path: Path) -> tuple[str, ...]:
        place = self.places[name, ""] = _at(path, key)
        is_list = isinstance(node, yaml.SequenceNode)
        items: list[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not is_list and node.tag == _NULL:
            items = []
        mistakes_before = len(self.mistakes)
        found: list[str] = []
        for item in items:
            values = self._values(name, item, path)
            for value in values:
                self.places.setdefault((name, value), _at(path, item))
            found += values
        if len(self.mistakes) == mistakes_before:
            # Blank items are no mistake; an empty list and a directive without a value are.
            checked = found or ([NONE] if items and name not in VALUELESS else [])
            self.mistakes += (f"{place}: {text}" for text in mistakes_in(name, checked))
        return tuple(found)

    def _values(self, name: str, node: yaml.Node, path: Path) -> tuple[str, ...]:
        place = f"{_at(path, node)}: {name}"
        if not isinstance(node, yaml.ScalarNode) or node.tag not in (_TEXT, _NULL):
            written = f"{node.value!a} " if isinstance(node, yaml.ScalarNode) else ""
            self.mistakes.append(f"{place}: {written}is not text; put a value in quotes")
            return ()
        written = "" if node.tag == _NULL else node.value
        try:
            filled = substitute(written, self.environ)
        except ConfigError as error:
            self.mistakes.append(f"{place}: {error}")
            return ()
        if why := unsafe(filled.text):
            # The text of the file is shown, not what a variable holds: it may be a secret.
            source = "".join(f" (through the variable {v})" for v in filled.variables)
            self.mistakes.append(f"{place}: {written!a} {why}{source}")
            return ()
        values = values_of([filled.text])
        for variable in filled.missing:
            dropped = "" if values else ", the value is left out"
            self.warnings.append(f"{place}: {variable} is not set{dropped}")
        if not values and not filled.missing and "${" not in written:
            self.warnings.append(f"{place}: a blank value is left out")
        return values


def _stands_on_default(layers: Sequence[Mapping[str, object]], mode: Mode) -> bool:
    if not layers or mode == "merge":
        return True
    return mode == "auto" and not any("default-src" in layer for layer in layers)


def _settled(directives: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Give directives whose values are all blank the meaning that browsers give them."""
    return {
        name: values or (() if name in VALUELESS else (NONE,))
        for name, values in directives.items()
        if values or name not in REPORTING
    }


def _linted(policy: Policy, reading: _Reading, report_only: bool) -> Iterable[str]:
    for finding in lint(policy, report_only=report_only):
        place = reading.places.get((finding.directive, finding.value))
        yield f"{place}: {finding}" if place else str(finding)


def _composed(path: Path) -> yaml.Node | None:
    """Return the document of a file as nodes that know their line; None for an empty one."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8") from None
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{path}:{line}: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}:{line}: has a character that YAML does not allow") from None
    except (ValueError, OverflowError, RecursionError):
        # An escape beyond Unicode, a version number of a thousand digits, endless nesting.
        raise ConfigError(f"{path}: is not YAML that can be read") from None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _at(path: Path, node: yaml.Node) -> str:
    return f"{path}:{_line(node)}"
