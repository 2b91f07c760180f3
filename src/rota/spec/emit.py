"""Plain data as YAML text, the way a person would write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Older readers of YAML take these for true and false.
_OLD_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off"})
# Where these are in quotes, the next edit by hand does not make YAML of them: a cron, a template.
_TELLING = frozenset("*{}[]")


@dataclass(frozen=True)
class Style:
    """`step`: spaces of a deeper mapping; `dash`: spaces before the `-` of a list below its key."""

    step: int = 2
    dash: int = 2


def inline(value: Any, quote: str | None = None, *, flow: bool = False) -> str:
    """A value on one line. `quote`: the quotation mark that was there; `flow`: it stands in `[ ]` or `{ }`."""
    if isinstance(value, str):
        return _text(value, quote, flow=flow)
    if isinstance(value, Mapping):
        pairs = (f"{_key(key, flow=True)}: {inline(part, flow=True)}" for key, part in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(inline(part, flow=True) for part in value)}]"
    return json.dumps(value)


def entry(key: str, value: Any, indent: int, style: Style) -> str:
    """`key: value` with everything below it, `indent` spaces in, without a newline at its end."""
    return f"{' ' * indent}{_key(key, flow=False)}:{below(value, indent, style)}"


def below(value: Any, indent: int, style: Style) -> str:
    """What follows the colon of a key that is `indent` spaces in."""
    if isinstance(value, Mapping) and value:
        lines = (entry(key, part, indent + style.step, style) for key, part in value.items())
        return "".join(f"\n{line}" for line in lines)
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        return "".join(f"\n{_item(item, indent + style.dash, style)}" for item in value)
    if isinstance(value, str) and "\n" in value and (block := _block(value, indent + style.step)):
        return f" {block}"
    return f" {inline(value)}"


def _item(value: Any, indent: int, style: Style) -> str:
    if not isinstance(value, Mapping) or not value:
        return f"{' ' * indent}- {inline(value)}"
    lines = [entry(key, part, indent + 2, style) for key, part in value.items()]
    return "\n".join([f"{' ' * indent}- {lines[0].lstrip(' ')}", *lines[1:]])


def _key(key: str, *, flow: bool) -> str:
    return _text(key, None, flow=flow)


def _text(text: str, quote: str | None, *, flow: bool) -> str:
    if quote == "'" and "\n" not in text and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if quote != '"' and _is_plain(text, flow=flow):
        return text
    return json.dumps(text, ensure_ascii=False)


def _is_plain(text: str, *, flow: bool) -> bool:
    """Whether the text means itself without quotation marks."""
    if not text or not text.isprintable() or text.lower() in _OLD_BOOLEANS or text != text.strip():
        return False
    if any(sign in text for sign in _TELLING):
        return False
    if text.isalpha() and text.lower() not in {"true", "false", "null"}:
        return True
    from rota.spec.yaml_reader import read_yaml

    document = read_yaml(f"{{k: {text}}}\n" if flow else f"k: {text}\n")
    return not document.faults and document.data == {"k": text}


def _block(text: str, indent: int) -> str | None:
    """The text below a `|`; None where that could not hold it as it is."""
    lines = text.split("\n")
    printable = all(line.isprintable() for line in lines)
    if not printable or lines[0] != lines[0].lstrip() or not text.strip() or text.endswith("\n\n"):
        return None
    chomp = "" if text.endswith("\n") else "-"
    kept = lines[:-1] if text.endswith("\n") else lines
    return f"|{chomp}" + "".join(f"\n{' ' * indent}{line}" if line else "\n" for line in kept)
