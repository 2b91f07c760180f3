"""Notes of items, through the one writer; what came of it goes into the source's answer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from rota.sources import _text
from rota.sources._params import SourceParams
from rota.sources._seen import Item
from rota.sources.note_text import Note
from rota.sources.notes import Notes

_BODIES = ("text", "body", "content", "description", "summary")
_MOST_JSON = 100_000


class MayKeepNotes(SourceParams):
    """Keys of a source that writes notes where it is told to."""

    into: str | None = Field(
        default=None,
        min_length=1,
        description="Write a note for each item into this folder of the workspace.",
    )


class KeepsNotes(SourceParams):
    """Keys of a source that writes notes unless it is told not to."""

    into: str | None = Field(
        default=None,
        min_length=1,
        description="The folder that notes go to; default: resources/ and the source's name.",
    )
    notes: bool = Field(default=True, description="Whether a note is written for each item.")


@dataclass
class Kept:
    """What the writer did. `failed`: ids of items whose notes could not be written; `paths`: notes by id."""

    files: list[str] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    paths: dict[str, str] = field(default_factory=dict)

    def answer(self, notes: Iterable[str] = ()) -> dict[str, Any]:
        """The part of a source's answer that tells of it; `notes`: what else there is to say."""
        said = [note for note in [*notes, *self.remarks] if note]
        return {"note": "; ".join(said), "files": self.files, "conflicts": self.conflicts}


def keep(
    workspace: str, source: str, into: str | None, notes: Iterable[Note], gone: Iterable[str] = ()
) -> Kept:
    """Write the notes, and mark those of the ids in `gone`. Raises PathError when `into` leads out."""
    with Notes(Path(workspace), source, into) as writer:
        paths = {note.id: path for note in notes if (path := writer.write(note)) is not None}
        for note_id in gone:
            writer.mark(note_id)
        return Kept(writer.files, writer.conflicts, writer.remarks[:5], set(writer.failed), paths)


def front(source: str, item: Item, **more: Any) -> dict[str, Any]:
    """The front matter that all notes have, and `more`."""
    return {"source": source, "source_id": item["id"], "url": item.get("url"), **more}


def data_note(source: str, item: Item, data: Mapping[str, Any] | Any) -> Note:
    """A note about structured data: the text that it holds, else the data itself."""
    fields = data if isinstance(data, Mapping) else {}
    body = next((text for name in _BODIES if isinstance(text := fields.get(name), str) and text.strip()), "")
    if not body:
        body = f"```json\n{json.dumps(data, indent=1, ensure_ascii=False)[:_MOST_JSON]}\n```"
    elif "</" in body:
        body = _text.markdown(body)
    return Note(item["id"], item["title"], body, front(source, item, updated=fields.get("updated_at")))
