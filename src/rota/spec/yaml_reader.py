"""YAML 1.2 to data with positions.

ruamel's composer gives nodes, each with its marks; they become plain data here, so that a key that is
there twice, a tag or an unquoted template is an error with a line rather than a surprise. Dates stay
text: what a job file says is JSON-able.
"""

from __future__ import annotations

import math
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from rota.spec.document import Document, Fault, broken, usable
from rota.spec.report import Path
from rota.spec.yaml_errors import explain, template_fault

_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(_TAG + kind for kind in ("str", "null", "bool", "int", "float", "timestamp"))
_MOST_NODES = 200_000  # what aliases of aliases may grow to


def read_yaml(text: str) -> Document:
    """Read a YAML text."""
    try:
        root = compose(text)
    except MarkedYAMLError as error:
        return Document(faults=[explain(error, text)])
    except ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        return broken(f"a control character (U+{error.character:04X}) in the text", line, "take it out")
    if root is None:
        return broken("the file holds nothing but comments", hint="start with `schedule:` and `steps:`")
    return _Builder(text, root).document


def compose(text: str) -> Node | None:
    """The node graph of a YAML text."""
    node: Node | None = YAML(typ="safe", pure=True).compose(text)
    return node


class _Builder:
    def __init__(self, text: str, root: Node) -> None:
        self._text = text
        self._open: set[int] = set()
        self._nodes = 0
        self.document = Document()
        self.document.data = self._build(root, ())

    def _build(self, node: Node, path: Path) -> Any:
        self._nodes += 1
        self.document.lines.setdefault(path, _line(node))
        if id(node) in self._open or self._nodes > _MOST_NODES:
            if not self.document.fatal:
                message = (
                    "an alias that holds itself" if id(node) in self._open else "aliases grow without end"
                )
                self.document.faults.append(Fault(message, _line(node), path=path, fatal=True))
            return None
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        built: Any
        if isinstance(node, MappingNode):
            built = self._mapping(node, path)
        else:
            built = [self._build(item, (*path, index)) for index, item in enumerate(node.value)]
        self._open.discard(id(node))
        if (tag := str(node.tag)) not in {_TAG + "map", _TAG + "seq"}:
            self._refuse_tag(tag, node, path)
        return built

    def _mapping(self, node: MappingNode, path: Path) -> Any:
        source = self._text[node.start_mark.index : node.end_mark.index]
        if node.flow_style and source.startswith("{{"):
            self._fault(template_fault(self._text, node.start_mark.line, path))
            return source
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._fault(Fault("a key must be text", _line(key_node), path=path))
                continue
            if str(key_node.tag) == _TAG + "merge":
                merged = self._merged(value_node, path) | merged
                continue
            key = str(key_node.value)
            inner = (*path, key)
            if key in seen:
                self._fault(
                    Fault(f"the key is there twice: first on line {seen[key]}", _line(key_node), path=inner)
                )
            seen[key] = self.document.lines[inner] = _line(key_node)
            if (problem := usable(key)[1]) is not None:
                self._fault(Fault(problem, _line(key_node), path=path))
                continue
            own[key] = self._build(value_node, inner)
        return merged | own

    def _merged(self, node: Node, path: Path) -> dict[str, Any]:
        """What `<<:` brings in: of a list, the first mapping wins."""
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        found: dict[str, Any] = {}
        for item in nodes:
            if isinstance(item, MappingNode):
                built = self._build(item, path)
                found = (built if isinstance(built, dict) else {}) | found
            else:
                self._fault(Fault("`<<` takes a mapping or a list of them", _line(item), path=path))
        return found

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        tag = str(node.tag)
        text, problem = usable(str(node.value))
        if problem is not None:
            self._fault(Fault(problem, _line(node), path=path))
        if tag == _TAG + "null" and not node.style:
            return None
        if tag == _TAG + "bool":
            return text.lower() in {"true", "yes", "on"}  # the others only below `%YAML 1.1`
        if tag in {_TAG + "int", _TAG + "float"}:
            return _number(text)
        if tag not in _PLAIN_TAGS:
            self._refuse_tag(tag, node, path)
        return text

    def _refuse_tag(self, tag: str, node: Node, path: Path) -> None:
        hint = 'if the value starts with "!", put it in quotes'
        shown = tag.replace(_TAG, "!!")
        self._fault(Fault(f"`{shown}` is a YAML tag, and rota knows none", _line(node), hint, path))

    def _fault(self, fault: Fault) -> None:
        self.document.faults.append(fault)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _number(text: str) -> Any:
    """The number that YAML 1.2 reads; the text where it is none that JSON could hold."""
    plain = text.replace("_", "").lower()
    try:
        if plain.lstrip("+-")[:2] in {"0x", "0o", "0b"}:
            return int(plain, 0)
        if plain.lstrip("+-").isdigit():
            return int(plain)
        number = float(plain)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
