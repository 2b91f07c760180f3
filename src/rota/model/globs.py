"""Patterns of paths: which files of a workspace a trigger or a step means.

`*` is any text within a name, `?` one character, `[a-z]` one of several, `{a,b}` either, `**` any number of folders.
Names that begin with a dot are meant only where the pattern writes the dot, as in a shell; what is in `.rota` and
`.git` is never meant. Case counts. All paths have `/` and are relative to the workspace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rota.model.errors import PathError

OWN = frozenset({".rota", ".git"})
_WILD = re.compile(r"[*?\[{]")
_MOST_WAYS = 64


@dataclass(frozen=True)
class Glob:
    """A pattern that was read. `root`: the folder above all that it can mean (empty: the workspace).

    `depth`: how many names follow after the root at most (None: any number).
    """

    text: str
    root: str
    depth: int | None
    regex: re.Pattern[str]

    def matches(self, path: str) -> bool:
        """Whether it means this path."""
        return self.regex.fullmatch(path) is not None


def is_one_value(text: str) -> bool:
    """Whether an entry of `if_changed:` is the value of one template, rather than a pattern of files."""
    said = text.strip()
    return said.startswith("{{") and said.endswith("}}") and said.count("{{") == 1


@lru_cache(maxsize=1024)
def read_glob(text: str) -> Glob:
    """The pattern of a text. Raises PathError where it leads out of the workspace, or cannot be read."""
    said = text.strip()
    while said.startswith("./"):
        said = said[2:]
    if not said or "\0" in said:
        raise PathError("an empty pattern", hint='such as "inbox/**/*.md"')
    parts = said.split("/")
    if said.startswith(("/", "~")) or ".." in parts or "\\" in said:
        raise PathError(
            f"`{text}` leads out of the workspace",
            hint="patterns are relative to the workspace, with `/`, without `..`",
        )
    if any(part.casefold() in OWN for part in parts):
        raise PathError(
            f"`{text}` is in a folder that rota does not look at", hint="`.rota` and `.git` are left out"
        )
    if parts[-1] == "":  # a folder: all that is in it
        parts[-1] = "**"
    if parts[-1] == "**":
        parts.append("*")
    fixed = next((at for at, part in enumerate(parts[:-1]) if _WILD.search(part)), len(parts) - 1)
    return Glob(
        text,
        "/".join(parts[:fixed]),
        None if "**" in parts else len(parts) - fixed,
        _compiled(text, parts),
    )


def ignores(patterns: Iterable[str], path: str) -> bool:
    """Whether one of the patterns means the path, a folder that it is in, or (without a slash) a name in it."""
    names = path.split("/")
    above = ["/".join(names[: count + 1]) for count in range(len(names))]
    for pattern in patterns:
        bare = pattern.strip().rstrip("/")
        glob = read_ignored(bare)
        candidates = above if "/" in bare else names
        if any(glob.fullmatch(one) for one in candidates):
            return True
    return False


@lru_cache(maxsize=1024)
def read_ignored(text: str) -> re.Pattern[str]:
    """The regex of a pattern of `ignore:`, for which a dot is a character like any other."""
    return _compiled(text, text.split("/"), dots=True)


def _compiled(text: str, parts: list[str], *, dots: bool = False) -> re.Pattern[str]:
    hidden = "" if dots else r"(?!\.)"
    found = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            found += f"(?:{hidden}[^/]+/)*" if not last else ".*"
            continue
        shy = hidden if part[:1] in {"*", "?", "[", "{"} else ""
        found += shy + _of_name(part) + ("" if last else "/")
    try:
        return re.compile(found, re.DOTALL)
    except re.error as error:
        raise PathError(f"`{text}` is no pattern: {error}", hint='such as "inbox/**/*.md"') from None


def _of_name(part: str) -> str:
    """The regex of one name of a pattern."""
    found, at, depth = "", 0, 0
    while at < len(part):
        char = part[at]
        end = part.find("]", at + 2) if char == "[" else -1
        if char == "*":
            found += "[^/]*"
        elif char == "?":
            found += "[^/]"
        elif end > 0:
            inner = part[at + 1 : end].replace("\\", r"\\").replace("[", r"\[").replace("&", r"\&")
            found += f"(?!/)[{'^' + inner[1:] if inner[0] in '!^' else inner}]"
            at = end
        elif char == "{" and "}" in part[at:] and depth < _MOST_WAYS:
            found, depth = found + "(?:", depth + 1
        elif depth and char == ",":
            found += "|"
        elif depth and char == "}":
            found, depth = found + ")", depth - 1
        else:
            found += re.escape(char)
        at += 1
    return found + ")" * depth


# What editors and downloads leave for a moment beside the file that is meant.
TEMPORARY = ("*~", "#*#", "*.tmp", "*.temp", "*.swp", "*.swx", "*.part", "*.partial", "*.crdownload", "4913")
