"""The one writer of the notes that sources keep: safe against crashes, other folders and people's own edits."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

from rota.model.errors import PathError, RotaError
from rota.ports.files import resolve_inside, write_atomic
from rota.sources.note_journal import Entry, NoteJournal
from rota.sources.note_text import Note, marked, short, slug

FOLDER = "resources"


class Notes:
    """Writes the notes of one source below `resources/SOURCE`, or `into`; a context manager.

    `files`: what was written, and `conflicts`: where a person's file was left alone, both for the source's
    answer. `remarks`: lines for its note. `failed`: ids of notes that could not be written, for another time.
    Raises PathError when `into` leads out of the workspace.
    """

    def __init__(self, workspace: Path, source: str, into: str | None = None) -> None:
        self._workspace = workspace
        self._source = source
        self._base = PurePosixPath(into or f"{FOLDER}/{slug(source, 'source')}")
        resolve_inside(workspace, str(self._base / "note.md"), purpose="`into:`")
        self._journal = NoteJournal(workspace / ".rota" / "notes", slug(source, "source"))
        self.files: list[str] = []
        self.conflicts: list[dict[str, Any]] = []
        self.remarks: list[str] = []
        self.failed: list[str] = []

    def __enter__(self) -> Notes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._journal.close()

    def known(self) -> list[str]:
        """The ids of the notes that were ever written."""
        return self._journal.ids()

    def path_of(self, note_id: str) -> str | None:
        """Where a note is, relative to the workspace."""
        return self._journal.entry(note_id).path

    def write(self, note: Note) -> str | None:
        """Bring a note's file up to date; its path. None when it could not be written, which `remarks` says.

        Nothing is written when the file has that text already, or when somebody deleted it and the note is as
        it was. A file that a person changed stays; what is new goes into another beside it.
        """
        entry = self._journal.entry(note.id)
        wanted = self._path_for(note)
        try:
            return self._bring(note.id, entry, wanted, note.text().encode("utf-8", "replace"))
        except (RotaError, OSError) as error:
            self.remarks.append(f"{wanted} could not be written: {error}")
            self.failed.append(note.id)
            return None

    def mark(self, note_id: str, word: str = "deleted") -> None:
        """The source has it no longer: the file stays, with `deleted: true` where nobody has changed it."""
        entry = self._journal.entry(note_id)
        try:
            for place in entry.places:
                data = self._read(place)
                if data is None:
                    continue
                if _digest(data) not in entry.own:
                    self.remarks.append(f"{place} is {word} in {self._source}; your own version stays")
                    continue
                text = marked(data.decode("utf-8", "replace"), word).encode()
                if text != data:
                    self._put(note_id, place, text)
        except (RotaError, OSError) as error:
            self.remarks.append(f"{note_id} could not be marked as {word}: {error}")

    def _bring(self, note_id: str, entry: Entry, wanted: str, data: bytes) -> str:
        new = _digest(data)
        places = dict.fromkeys([*entry.places, wanted])
        there = {place: _digest(found) for place in places if (found := self._read(place)) is not None}
        changed = [place for place, digest in there.items() if digest not in entry.own]
        if changed:
            home = entry.path if entry.path in changed else changed[0]
            self._keep_theirs(note_id, entry, home, data, same=there[home] == new)
            return home
        if not there and entry.written == new and entry.path is not None:
            return entry.path  # somebody deleted it, and there is nothing new
        if there.get(wanted) == new:
            if entry.path != wanted or entry.written != new:
                self._journal.end(note_id, wanted, new)
        else:
            self._put(note_id, wanted, data)
        for place in there:
            if place != wanted:
                self._real(place).unlink(missing_ok=True)
        self._drop_beside(note_id, entry)
        return wanted

    def _keep_theirs(self, note_id: str, entry: Entry, home: str, data: bytes, *, same: bool) -> None:
        """A person has changed the file: what is new goes beside it, unless theirs says the same."""
        new = _digest(data)
        if same:
            self._journal.end(note_id, home, new)
            self._drop_beside(note_id, entry)
        elif new == entry.written:
            self._drop_beside(note_id, entry)  # the source is what it was when they began to change it
        elif new != entry.offered:
            beside = self._beside(home, entry)
            self._journal.offer(note_id, beside, new)
            write_atomic(self._real(beside), data)
            self.files.append(beside)
            self._conflict(home, beside, new)
        elif entry.beside is not None:
            if self._read(entry.beside) is not None:
                self._conflict(home, entry.beside, new)
            else:
                self._journal.settle(note_id)  # they have made up their mind

    def _conflict(self, path: str, beside: str, version: str) -> None:
        self.conflicts.append({"path": path, "beside": beside, "version": version[:16]})

    def _put(self, note_id: str, place: str, data: bytes) -> None:
        digest = _digest(data)
        self._journal.begin(note_id, place, digest)
        write_atomic(self._real(place), data)
        self._journal.end(note_id, place, digest)
        self.files.append(place)

    def _drop_beside(self, note_id: str, entry: Entry) -> None:
        """Remove the file beside it, unless that was changed by hand, too."""
        if entry.beside is None:
            return
        data = self._read(entry.beside)
        if data is not None and _digest(data) == entry.offered:
            self._real(entry.beside).unlink(missing_ok=True)
        self._journal.settle(note_id)

    def _beside(self, home: str, entry: Entry) -> str:
        """`NAME.from-SOURCE.md`; with a number where a person has changed that one as well."""
        path = PurePosixPath(home)
        stem, number = f"{path.stem}.from-{slug(self._source, 'source')}", 1
        while True:
            name = f"{stem}.md" if number == 1 else f"{stem}-{number}.md"
            beside = str(path.with_name(name))
            data = self._read(beside)
            if data is None or (beside == entry.beside and _digest(data) == entry.offered):
                return beside
            number += 1

    def _path_for(self, note: Note) -> str:
        folder = self._base.joinpath(*(slug(name) for name in note.folder))
        for length in (8, 16, 64):
            path = str(folder / f"{slug(note.title)}-{short(f'{self._source}:{note.id}', length)}.md")
            if self._journal.owner_of(path) in (None, note.id):
                break
        return path

    def _real(self, place: str) -> Path:
        return resolve_inside(self._workspace, place, purpose="note")

    def _read(self, place: str) -> bytes | None:
        path = self._real(place)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except IsADirectoryError:
            raise PathError(f"{place} is a folder", hint="move it out of the way") from None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
