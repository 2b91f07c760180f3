"""What a note looks like: its file's name, its front matter, its text."""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

_NO_WORD = re.compile(r"[\W_]+")
_LONGEST_NAME = 80  # bytes: file systems take 255 with all that is added to it
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Note:
    """One thing of a source as Markdown. `id`: the source's own, the same for as long as the thing is.

    `front`: the front matter in its order, YAML-able; what is None, '' or empty is left out. `folder`: names of
    folders below the source's, as people would call them. None of it may say when it was pulled: a note is
    written anew when its text differs.
    """

    id: str
    title: str
    body: str
    front: Mapping[str, Any] = field(default_factory=dict)
    folder: tuple[str, ...] = ()

    def text(self) -> str:
        """The whole file."""
        front = front_matter({"title": self.title, **self.front})
        body = cleaned(self.body).strip("\n")
        return f"{front}\n{body}\n" if body else front


def slug(text: str, default: str = "untitled") -> str:
    """A text as a part of a file's name, in any script: `Q3: plans/ideas` becomes `q3-plans-ideas`."""
    name = _NO_WORD.sub("-", unicodedata.normalize("NFC", text).lower()).strip("-")
    return name.encode("utf-8", "ignore")[:_LONGEST_NAME].decode("utf-8", "ignore").strip("-") or default


def short(text: str, length: int = 8) -> str:
    """What tells things of one name apart: a part of their id's digest."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def front_matter(values: Mapping[str, Any]) -> str:
    """The values between `---` lines; those without content are left out."""
    kept = {name: _yaml_able(value) for name, value in values.items() if value not in (None, "", [], {}, ())}
    stream = io.StringIO()
    _yaml().dump(kept, stream)
    return f"---\n{stream.getvalue()}---\n"


def marked(text: str, name: str) -> str:
    """The text of a note with `name: true` at the end of its front matter; as it is when that is there."""
    lines = text.split("\n")
    if lines[0] != "---" or "---" not in lines[1:]:
        return text
    end = lines.index("---", 1)
    line = f"{name}: true"
    return text if line in lines[:end] else "\n".join([*lines[:end], line, *lines[end:]])


def cleaned(text: str) -> str:
    """Text from outside without control characters, and with one kind of line end."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _yaml_able(value: Any) -> Any:
    if isinstance(value, str):
        return cleaned(value)
    if value is None or isinstance(value, bool | int | float | date):
        return value
    if isinstance(value, Mapping):
        return {cleaned(str(name)): _yaml_able(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_yaml_able(item) for item in value]
    return cleaned(str(value))


@lru_cache(maxsize=1)
def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = 1_000_000  # one line a value, so that a change shows as one
    return yaml
