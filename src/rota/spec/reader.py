"""Text of a file to plain data in which every value has a line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from rota.spec.document import Document, broken

SUFFIXES = (".yaml", ".yml", ".json", ".md")
LONGEST = 1_000_000  # reading takes time, and the daemon reads every file
_FENCE = re.compile(r"---[ \t]*\n")
_CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.MULTILINE)


def read(text: str, path: str) -> Document:
    """Read a file's text by the extension of its path. Nothing is raised: see `Document.faults`."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    suffix = suffix_of(path)
    if suffix not in SUFFIXES:
        return broken(f"rota reads no `{suffix}` files", hint=f"use {', '.join(SUFFIXES)}")
    if len(text) > LONGEST:
        return broken(f"the file has more than {LONGEST:,} characters", hint="split it into several")
    if not text.strip():
        return broken(
            "the file is empty", hint="start with `schedule:` and `steps:`, or see `rota add --help`"
        )
    if (bad := _unreadable(text)) is not None:
        return bad
    try:
        return _READERS[suffix](text)
    except RecursionError:
        return broken("the text is nested too deeply")


def suffix_of(path: str) -> str:
    """`.yaml` of `jobs/plan.YAML`."""
    name = path.replace("\\", "/").rpartition("/")[2]
    stem, dot, end = name.rpartition(".")
    return f".{end.lower()}" if dot and stem else ""


def _unreadable(text: str) -> Document | None:
    for character, message, hint in (
        ("\x00", "the file holds a NUL character", "it may be UTF-16 or no text: save it as UTF-8"),
        ("\ufffd", "the file is not valid UTF-8 here", "save the file as UTF-8"),
    ):
        if (at := text.find(character)) >= 0:
            return broken(message, text.count("\n", 0, at) + 1, hint)
    return None


def split_front_matter(text: str) -> tuple[int, int, int] | None:
    """Offsets in a Markdown text: start and end of the front matter, start of the body; None without one."""
    opening = _FENCE.match(text)
    closing = _CLOSING.search(text, opening.end()) if opening else None
    return (opening.end(), closing.start(), closing.end()) if opening and closing else None


def _yaml(text: str) -> Document:
    from rota.spec.yaml_reader import read_yaml

    return read_yaml(text)


def _json(text: str) -> Document:
    from rota.spec.json_reader import read_json

    return read_json(text)


def _markdown(text: str) -> Document:
    parts = split_front_matter(text)
    if parts is None:
        if _FENCE.match(text):
            return broken("the front matter has no end", 1, "close it with a line `---`; the prompt follows")
        return broken(
            "no front matter", 1, "start the file with a line `---`, the job's keys and another `---`"
        )
    start, end, body = parts
    document = Document(data={}, lines={(): 1})
    if any(line.strip() and not line.lstrip().startswith("#") for line in text[start:end].split("\n")):
        document = _yaml("\n" * text.count("\n", 0, start) + text[start:end])
    if document.data is None and not document.fatal:
        document.data = {}
    rest = text[body:]
    document.body = rest.strip()
    document.body_line = text.count("\n", 0, body) + 1 + _blank_lines(rest)
    return document


def _blank_lines(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n")


_READERS: Mapping[str, Callable[[str], Document]] = {
    ".yaml": _yaml,
    ".yml": _yaml,
    ".json": _json,
    ".md": _markdown,
}
