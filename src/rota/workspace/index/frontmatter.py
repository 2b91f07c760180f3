"""What the index takes from front matter: title, tags, day. Read line by line, so that broken YAML costs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_LONGEST = 200  # lines
_KEY = re.compile(r"([A-Za-z][\w -]*?)\s*:(?:\s+(.*)|\s*)$")
_ITEM = re.compile(r"\s*-\s+(.*)$")
_COMMENT = re.compile(r"\s+#\s.*$")
_DAYS = ("date", "day", "created", "updated", "modified")


@dataclass(frozen=True)
class FrontMatter:
    """`day`: a text that may hold a date."""

    title: str = ""
    tags: tuple[str, ...] = ()
    day: str = ""


def split_front_matter(text: str) -> tuple[FrontMatter, int]:
    """What it says, and how many lines it takes with its two fences; 0 where there is none."""
    if not text.startswith(("---\n", "+++\n")):
        return FrontMatter(), 0
    lines = text.split("\n", _LONGEST)[:_LONGEST]
    fences = (lines[0], "...") if lines[0] == "---" else (lines[0],)
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() in fences), None)
    if end is None:
        return FrontMatter(), 0
    found = _keys(line.replace(" = ", ": ", 1) if lines[0] == "+++" else line for line in lines[1:end])
    tags = [*found.get("tags", ()), *found.get("tag", ())]
    title = next(iter(found.get("title", ())), "")
    day = next((found[key][0] for key in _DAYS if found.get(key)), "")
    return FrontMatter(title, tuple(tag.removeprefix("#") for tag in tags if tag), day), end + 1


def _keys(lines: Iterable[str]) -> dict[str, list[str]]:
    """The values of the keys at the left margin: one, or the items of a list in either form."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in lines:
        if item := _ITEM.match(line):
            if key:
                found[key].append(_plain(item[1]))
        elif entry := _KEY.match(line):
            key = entry[1].strip().lower()
            found[key] = _values(key, entry[2] or "")
    return found


def _values(key: str, text: str) -> list[str]:
    text = _COMMENT.sub("", f" {text}").strip()
    if text.startswith("["):
        return [_plain(part) for part in text.strip("[] ").split(",") if part.strip()]
    if key in {"tags", "tag"} and not text.startswith(('"', "'")):
        return [part for part in re.split(r"[,\s]+", text) if part]
    return [_plain(text)] if text else []


def _plain(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text
