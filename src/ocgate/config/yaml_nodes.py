"""YAML as nodes that know their line.

Scalars stay text, so that a setting is read the same from a file as from a variable: `no` is
not a boolean of YAML 1.1, and `0x10` is read by the same rules. Names within a mapping are
unique; `<<` merges, with the entries that are written out going first.
"""

from dataclasses import dataclass, field

import yaml

from ocgate.config.mistakes import Misconfigured, Remark

_NULL = "tag:yaml.org,2002:null"
_MERGE = "<<"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a file: exactly one of the three is not None, or none of them for null."""

    place: str
    """File and line: `/etc/ocgate/proxy.yaml:12`."""
    text: str | None = None
    items: "tuple[Node, ...] | None" = None
    entries: "dict[str, Node] | None" = None

    @property
    def is_null(self) -> bool:
        """Nothing is written there, or `null`."""
        return self.text is None and self.items is None and self.entries is None

    def at(self, path: str) -> "Node | None":
        """Return the node under a dotted path, or None where there is none."""
        found: Node | None = self
        for name in path.split("."):
            if found is None or found.entries is None:
                return None
            found = found.entries.get(name)
        return found


def parse_yaml(text: str, name: str) -> Node:
    """Read a file's text; an empty file is a null node. Raises `Misconfigured`, all at once."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}" if mark else name
        raise Misconfigured([Remark(place, str(error.problem or error.context))]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        refused = Remark(f"{name}:{line}", "has a character that YAML does not allow")
        raise Misconfigured([refused]) from None
    except (ValueError, OverflowError, RecursionError):
        raise Misconfigured([Remark(name, "is not YAML that can be read")]) from None
    if root is None:
        return Node(f"{name}:1")
    reading = _Reading(name)
    node = reading.converted(root)
    if reading.mistakes:
        raise Misconfigured(reading.mistakes)
    return node


@dataclass(slots=True)
class _Reading:
    name: str
    mistakes: list[Remark] = field(default_factory=list[Remark])
    done: dict[int, Node] = field(default_factory=dict[int, Node])
    open: set[int] = field(default_factory=set[int])

    def converted(self, node: yaml.Node) -> Node:
        """Convert a node once, however many aliases lead to it."""
        known = self.done.get(id(node))
        if known is not None:
            return known
        if id(node) in self.open:
            return self._refused(node, "an alias within what it stands for")
        self.open.add(id(node))
        made = self._made(node)
        self.open.discard(id(node))
        self.done[id(node)] = made
        return made

    def _made(self, node: yaml.Node) -> Node:
        place = self._place(node)
        if isinstance(node, yaml.ScalarNode):
            return Node(place, text=None if node.tag == _NULL else str(node.value))
        if isinstance(node, yaml.SequenceNode):
            return Node(place, items=tuple(self.converted(item) for item in node.value))
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refused(key, "a name must be text")
            elif key.value == _MERGE and key.style is None:
                self._merge(self.converted(value), merged)
            elif key.value in entries:
                first = entries[key.value].place.rpartition(":")[2]
                self._refused(key, f"{key.value!r} is already there, in line {first}")
            else:
                entries[str(key.value)] = self.converted(value)
        return Node(place, entries={**merged, **entries})

    def _merge(self, node: Node, into: dict[str, Node]) -> None:
        for source in node.items if node.items is not None else (node,):
            if source.entries is None:
                self.mistakes.append(Remark(node.place, "only mappings can be merged with <<"))
                return
            for name, value in source.entries.items():
                into.setdefault(name, value)

    def _refused(self, node: yaml.Node, text: str) -> Node:
        place = self._place(node)
        self.mistakes.append(Remark(place, text))
        return Node(place)

    def _place(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"
