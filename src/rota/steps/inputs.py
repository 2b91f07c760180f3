"""Texts that a job file gives as they are, or as the path of a file that has them."""

from __future__ import annotations

import re
from pathlib import Path

from rota.model.errors import PathError
from rota.ports.files import resolve_inside

_LONGEST_PATH = 1_000


def may_name_file(raw: str) -> bool:
    """Whether the job file says which folder is read: a value from outside must not choose what is shown."""
    before, *templates = re.split(r"\{[{%]", raw, maxsplit=1)
    return not templates or "/" in before


def file_text(text: str, workspace: Path, limit: int) -> str | None:
    """The first bytes (one more than `limit`) of the text file of that name; None where there is none."""
    if not text or len(text) > _LONGEST_PATH or "\n" in text:
        return None
    try:
        path = resolve_inside(workspace, text, purpose="a file", reading=True)
        if not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (PathError, OSError):
        return None
    return None if b"\0" in data else data.decode("utf-8", "replace")
