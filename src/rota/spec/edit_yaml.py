"""One change in a YAML (or JSON) text by the marks of its nodes, so that the rest stays byte for byte."""

from __future__ import annotations

import json
import re
from typing import Any

from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rota.spec.emit import Style, below, entry, inline
from rota.spec.job import JOB_KEYS
from rota.spec.report import Path
from rota.spec.yaml_reader import compose


class Editor:
    """Makes one change in a text. `as_json`: what is written stays JSON."""

    def __init__(self, text: str, *, as_json: bool = False) -> None:
        self._text = text
        self._json = as_json
        try:
            self._root = compose(text)
        except (YAMLError, ValueError) as error:
            raise ValueError("the text is no YAML") from error
        self._style = _style_of(text)

    def change(self, path: Path, value: Any) -> str:
        """The text with `path` set, or removed (None). Raises ValueError where that is not possible."""
        node = self._root
        if node is None or (isinstance(node, ScalarNode) and not node.value):
            return self._text if value is None else self._appended(_nested(path, value))
        for depth, part in enumerate(path):
            inner = _child(node, part)
            if inner is None or (value is not None and depth + 1 < len(path) and _is_null(inner)):
                if value is None:
                    return self._text
                rest = _nested(path[depth + 1 :], value)
                return self._set(node, part, inner, rest) if isinstance(node, MappingNode) else _refuse()
            if depth + 1 == len(path):
                return (
                    self._remove(path, node, part) if value is None else self._set(node, part, inner, value)
                )
            node = inner
        return _refuse()

    def _appended(self, value: dict[str, Any]) -> str:
        text = self._text if not self._text or self._text.endswith("\n") else f"{self._text}\n"
        return text + "".join(f"{entry(key, part, 0, self._style)}\n" for key, part in value.items())

    def _set(self, parent: Node, part: str | int, old: Node | None, value: Any) -> str:
        if old is None:
            return self._insert(parent, str(part), value)
        if isinstance(parent, SequenceNode):
            return self._replace(old.start_mark.index, self._end(old), self._inline(value, old, flow=True))
        key = _key(parent, str(part))
        if _is_flow(parent):
            return self._replace(
                old.start_mark.index, old.end_mark.index, self._inline(value, old, flow=True)
            )
        colon = self._colon(key)
        new = below(value, key.start_mark.column, self._style)
        if new.startswith(" ") and "\n" not in new:
            new = f" {self._inline(value, old, flow=False)}"
            if isinstance(old, ScalarNode) and not _is_null(old):
                return self._replace(old.start_mark.index, self._end(old), new[1:])
        return self._replace(colon, max(colon, self._end(old)), new)

    def _insert(self, parent: Node, name: str, value: Any) -> str:
        if not parent.value:
            new = f"{{{self._pair(name, value)}}}"
            return self._replace(parent.start_mark.index, parent.end_mark.index, new)
        if _is_flow(parent):
            last_key, last = parent.value[-1]
            end = self._entry_end(last_key, last)
            lines = last_key.start_mark.line != parent.start_mark.line
            gap = f"\n{self._indent(last_key)}" if lines else " "
            return self._replace(end, end, f",{gap}{self._pair(name, value)}")
        column = parent.value[0][0].start_mark.column
        before = self._place_for(parent, name)
        end = self._line_end(self._entry_end(*before))
        line = entry(name, value, column, self._style)
        return self._replace(end, end, f"\n{line}")

    def _place_for(self, parent: Node, name: str) -> tuple[Node, Node]:
        """The entry after which a new key of a job reads well; else the last one."""
        entries: list[tuple[Node, Node]] = parent.value
        if parent is not self._root or name not in JOB_KEYS:
            return entries[-1]
        rank = {key: index for index, key in enumerate(JOB_KEYS)}
        earlier = [pair for pair in entries if rank.get(str(pair[0].value), len(rank)) < rank[name]]
        return max(earlier, key=lambda pair: rank[str(pair[0].value)], default=entries[-1])

    def _remove(self, path: Path, parent: Node, part: str | int) -> str:
        if not isinstance(parent, MappingNode):
            return _refuse()
        if len(parent.value) == 1:
            return self.change(path[:-1], {}) if len(path) > 1 else _refuse()
        index = next(i for i, (key, _) in enumerate(parent.value) if key.value == part)
        key, old = parent.value[index]
        following = parent.value[index + 1] if index + 1 < len(parent.value) else None
        if _is_flow(parent):
            if following is not None:
                return self._replace(key.start_mark.index, following[0].start_mark.index, "")
            return self._replace(self._entry_end(*parent.value[index - 1]), self._entry_end(key, old), "")
        start = key.start_mark.index - key.start_mark.column
        if self._text[start : key.start_mark.index].strip():  # behind a `- `: the next key takes its place
            if following is None:
                return _refuse()
            return self._replace(key.start_mark.index, following[0].start_mark.index, "")
        return self._replace(start, self._line_end(self._entry_end(key, old)) + 1, "")

    def _inline(self, value: Any, old: Node, *, flow: bool) -> str:
        if self._json:
            return json.dumps(value, ensure_ascii=False)
        quote = old.style if isinstance(old, ScalarNode) and old.style in {"'", '"'} else None
        return inline(value, quote, flow=flow)

    def _pair(self, name: str, value: Any) -> str:
        if self._json:
            return f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
        return f"{inline(name, flow=True)}: {inline(value, flow=True)}"

    def _replace(self, start: int, end: int, new: str) -> str:
        return self._text[:start] + new + self._text[end:]

    def _colon(self, key: Node) -> int:
        """The offset behind a key's colon."""
        return self._text.index(":", key.end_mark.index) + 1

    def _entry_end(self, key: Node, value: Node) -> int:
        return max(self._colon(key), self._end(value))

    def _end(self, node: Node) -> int:
        """The offset behind the last character of a node, comments and blank lines after it left out; 0 for nothing."""
        if isinstance(node, ScalarNode) and not node.style and not node.value:
            return 0  # its marks are somewhere behind the colon, perhaps lines below
        if not isinstance(node, ScalarNode) and not _is_flow(node) and node.value:
            last = node.value[-1]
            return self._entry_end(*last) if isinstance(node, MappingNode) else self._end(last)
        start, end = node.start_mark.index, node.end_mark.index
        return int(start + len(self._text[start:end].rstrip()))

    def _indent(self, node: Node) -> str:
        """The blanks before a node on its line."""
        start = node.start_mark.index - node.start_mark.column
        line = self._text[start : node.start_mark.index]
        return line[: len(line) - len(line.lstrip())]

    def _line_end(self, at: int) -> int:
        end = self._text.find("\n", at)
        return len(self._text) if end < 0 else end


def _child(node: Node, part: str | int) -> Node | None:
    if isinstance(node, MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
        found: Node = node.value[part]
        return found
    return None


def _key(node: Node, name: str) -> Node:
    found: Node = next(key for key, _ in node.value if key.value == name)
    return found


def _is_flow(node: Node) -> bool:
    return bool(getattr(node, "flow_style", None))


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and not node.style and str(node.tag).endswith(":null")


def _nested(path: Path, value: Any) -> Any:
    for part in reversed(path):
        value = {str(part): value}
    return value


def _style_of(text: str) -> Style:
    """The indentation that the text uses."""
    dash = re.search(r"^( *)[\w.\"'-]+:[ \t]*(?:#.*)?\n(?:\s*#.*\n)*( *)- ", text, re.MULTILINE)
    step = re.search(r"^( *)[\w.\"'-]+:[ \t]*(?:#.*)?\n( +)[\w\"']", text, re.MULTILINE)
    offset = len(dash[2]) - len(dash[1]) if dash else 2
    width = len(step[2]) - len(step[1]) if step else 2
    return Style(width if width > 0 else 2, max(offset, 0))


def _refuse() -> str:
    raise ValueError("no such place in the text")
