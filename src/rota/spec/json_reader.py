"""JSON to data with positions."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import Any, NoReturn

from rota.spec.document import Document, Fault, broken, usable
from rota.spec.report import Path

_SPACE = re.compile(r"[ \t\n]*")
_DECODER = json.JSONDecoder()


def read_json(text: str) -> Document:
    """Read a JSON text, strictly."""
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return broken(_problem(error), error.lineno, _hint(text, error))
    except ValueError as error:  # of `_refuse`, or of Python about a number of thousands of digits
        return broken(f"not valid JSON: {str(error).split(':')[0]}")
    return _Walk(text).document


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _problem(error: json.JSONDecodeError) -> str:
    what = error.msg[:1].lower() + error.msg[1:]
    return f"not valid JSON: {what} (column {error.colno})"


def _hint(text: str, error: json.JSONDecodeError) -> str | None:
    before, after = text[: error.pos].rstrip(), text[error.pos :]
    if before.endswith(",") and after[:1] in {"}", "]"}:
        return "take out the comma before the closing bracket"
    if "trailing comma" in error.msg:
        return "take out the comma before the closing bracket"
    if after.startswith(("//", "/*", "#")):
        return "JSON has no comments: rename the file to .yaml, which has them"
    if after.startswith("'"):
        return 'JSON quotes with "'
    if "delimiter" in error.msg:
        return "is a comma or a closing bracket missing on the line before?"
    return None


class _Walk:
    """Walks over a text that is known to be valid."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self.document = Document()
        self.document.data, _ = self._value(self._skip(0), ())

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _line(self, at: int) -> int:
        return bisect_right(self._breaks, at - 1) + 1

    def _value(self, at: int, path: Path) -> tuple[Any, int]:
        self.document.lines.setdefault(path, self._line(at))
        opening = self._text[at]
        value: Any
        if opening == "{":
            value, end = self._object(at + 1, path)
        elif opening == "[":
            value, end = self._array(at + 1, path)
        else:
            value, end = _DECODER.raw_decode(self._text, at)
            if isinstance(value, str):
                value, problem = usable(value)
                if problem is not None:
                    self._fault(problem, at, path)
        self.document.spans[path] = (at, end)
        return value, end

    def _object(self, at: int, path: Path) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        at = self._skip(at)
        while self._text[at] != "}":
            at = self._skip(at + 1 if self._text[at] == "," else at)
            key, end = _DECODER.raw_decode(self._text, at)
            inner = (*path, key)
            if key in found:
                self._fault(f"the key is there twice: first on line {self.document.lines[inner]}", at, inner)
            self.document.lines[inner] = self._line(at)
            found[key], at = self._value(self._skip(self._skip(end) + 1), inner)
            at = self._skip(at)
        return found, at + 1

    def _array(self, at: int, path: Path) -> tuple[list[Any], int]:
        found: list[Any] = []
        at = self._skip(at)
        while self._text[at] != "]":
            at = self._skip(at + 1 if self._text[at] == "," else at)
            item, at = self._value(at, (*path, len(found)))
            found.append(item)
            at = self._skip(at)
        return found, at + 1

    def _fault(self, message: str, at: int, path: Path) -> None:
        self.document.faults.append(Fault(message, self._line(at), path=path))
