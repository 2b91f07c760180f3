"""The builtin agent's files: read, write, edit, list, inside the workspace, wherever links lead. In hosts only."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rota.model.agent import NOTHING, Denial
from rota.model.agent_policy import allows_read, allows_write, path_parts
from rota.model.errors import StepError
from rota.ports.files import write_atomic
from rota.ports.tree import walk
from rota.runners._words import counted_lines
from rota.runners.builtin_tools import DeniedError, Did, Place, Tool

_LONGEST_FILE = 5_000_000  # bytes
_LINES, _ENTRIES = 2_000, 500
_PATH = {"type": "string", "description": "Relative to the workspace: notes/today.md."}


def file_tools(place: Place) -> list[Tool]:
    """The four of them."""
    files = _Files(place)
    return [
        Tool(
            "read",
            f"Read a text file: at most {_LINES:,} lines at a time, from `first` (1) on.",
            _takes({"path": _PATH, "first": {"type": "integer", "minimum": 1}, "lines": {"type": "integer", "minimum": 1}}, "path"),
            files.read,
            looks=True,
            shown="path",
        ),
        Tool(
            "write",
            "Write a whole file; its folders are made. What was in it is replaced.",
            _takes({"path": _PATH, "content": {"type": "string"}}, "path", "content"),
            files.write,
            shown="path",
        ),
        Tool(
            "edit",
            "Replace a piece of a file's text by another. `old` has to stand in it exactly once, unless `all` is true.",
            _takes(
                {"path": _PATH, "old": {"type": "string"}, "new": {"type": "string"}, "all": {"type": "boolean"}},
                "path", "old", "new",
            ),
            files.edit,
            shown="path",
        ),
        Tool(
            "list",
            "List a folder, or, with `pattern` (notes/**/*.md), the files in the workspace that it means.",
            _takes({"path": _PATH, "pattern": {"type": "string"}}),
            files.list,
            looks=True,
        ),
    ]  # fmt: skip


class _Files:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._root = place.workspace

    async def read(self, given: Mapping[str, Any]) -> Did:
        """The tool `read`."""
        path, shown = self._to_read(given["path"])
        lines = _text_of(path, shown).splitlines(keepends=True)
        first = given.get("first", 1)
        part = lines[first - 1 :][: min(given.get("lines", _LINES), _LINES)]
        last = first - 1 + len(part)
        text = "".join(part)
        if last < len(lines) or first > 1:
            text += f"\n[lines {first} to {last} of {len(lines)}]"
        return Did(text or "[the file is empty]", counted_lines(len(part)))

    async def write(self, given: Mapping[str, Any]) -> Did:
        """The tool `write`."""
        path, shown = self._to_write(given["path"])
        content: str = given["content"]
        there = path.exists()
        write_atomic(path, content.encode("utf-8", "replace"))
        count = counted_lines(len(content.splitlines()))
        return Did(f"{shown} is {'replaced' if there else 'written'}: {count}", f"{count} written")

    async def edit(self, given: Mapping[str, Any]) -> Did:
        """The tool `edit`."""
        path, shown = self._to_write(given["path"])
        text, old = _text_of(path, shown), given["old"]
        count = text.count(old) if old else 0
        if count == 0:
            raise StepError(f"the text that is to be replaced does not stand in {shown}")
        if count > 1 and not given.get("all"):
            raise StepError(
                f"the text that is to be replaced stands in {shown} {count} times: give more of it, or `all`"
            )
        write_atomic(path, text.replace(old, given["new"]).encode("utf-8", "replace"))
        return Did(f"{shown}: {count} replaced", f"{count} replaced")

    async def list(self, given: Mapping[str, Any]) -> Did:
        """The tool `list`."""
        if given.get("pattern"):
            names = sorted(path for path, _sign in walk(self._root, [given["pattern"]]) if allows_read(path))
        else:
            path, shown = self._to_read(given.get("path") or ".")
            if not path.is_dir():
                raise StepError(f"{shown} is no folder")
            names = sorted(self._entries(path))
        more = len(names) - _ENTRIES
        text = "\n".join(names[:_ENTRIES]) + (f"\n[{more} more]" if more > 0 else "")
        return Did(text or "[nothing is there]", f"{len(names)} found")

    def _entries(self, folder: Path) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                shown = "/".join(Path(entry.path).relative_to(self._root).parts)
                if allows_read(shown):
                    yield f"{shown}/" if entry.is_dir(follow_symlinks=False) else shown

    def _to_read(self, said: str) -> tuple[Path, str]:
        path, shown, real = self._resolved(said)
        if not (allows_read(shown) and allows_read(real)):
            raise StepError(f"{shown} is rota's own and not for agents to read")
        if not path.exists():
            raise StepError(f"there is no {shown}", hint="`list` says what there is")
        return path, shown

    def _to_write(self, said: str) -> tuple[Path, str]:
        """Allowed by the name that was said, and by the one that its links lead to."""
        path, shown, real = self._resolved(said)
        place = self._place
        for name in (shown, real):
            if allows_write(place.permissions, name, place.grants):
                continue
            if not allows_write(NOTHING, name, [Denial("write", name)]):  # nobody can allow that
                raise StepError(f"{name} is not for agents to write")
            raise DeniedError(Denial("write", name), f"writing {name} is not allowed")
        if path.is_dir():
            raise StepError(f"{shown} is a folder")
        return path, shown

    def _resolved(self, said: str) -> tuple[Path, str, str]:
        """The real path, the name as it was said and the one of the real path, both from the workspace."""
        if said.startswith("/"):
            whole = Path(os.path.normpath(said))
            for root in (self._root, Path(self._place.env.get("ROTA_WORKSPACE", self._root))):
                if whole.is_relative_to(root):
                    said = str(whole.relative_to(root))
                    break
        parts = path_parts(said)
        if parts is None:
            raise StepError(
                f"{said[:200]!r} leads out of the workspace", hint="paths are relative to it, without `..`"
            )
        try:
            real = Path(self._root, *parts).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise StepError(f"{said[:200]!r} cannot be followed: {error}") from None
        if not real.is_relative_to(self._root):
            raise StepError(f"{said[:200]!r} leads out of the workspace by a link")
        return real, "/".join(parts) or ".", "/".join(real.relative_to(self._root).parts) or "."


def _text_of(path: Path, shown: str) -> str:
    try:
        if not path.is_file():
            raise StepError(f"{shown} is no file")
        if path.stat().st_size > _LONGEST_FILE:
            raise StepError(f"{shown} is longer than {_LONGEST_FILE:,} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise StepError(f"{shown} cannot be read: {error.strerror}") from None
    if b"\0" in data:
        raise StepError(f"{shown} is no text")
    return data.decode("utf-8", "replace")


def _takes(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }
