"""What a source's notes were when rota wrote them last: how it knows a file that a person has changed since.

A journal of JSON lines in `.rota/notes/`. A line stands there before a file is written, and another afterwards: a
crash between them leaves both versions known as rota's own, so that none of them is taken for a person's.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rota.model.errors import StepError
from rota.ports.files import write_atomic

_SPARE_LINES = 200


@dataclass
class Entry:
    """One note. Paths are relative to the workspace; hashes are of whole files.

    `path`, `written`: where it is, and what was written there last. `begun`: writes whose end is not known.
    `beside`, `offered`: the file beside a person's own, and what was written there.
    """

    path: str | None = None
    written: str | None = None
    begun: list[tuple[str, str]] = field(default_factory=list)
    beside: str | None = None
    offered: str | None = None

    @property
    def places(self) -> list[str]:
        """Where a file of this note may be."""
        return list(dict.fromkeys([*([self.path] if self.path else []), *(path for path, _ in self.begun)]))

    @property
    def own(self) -> set[str]:
        """The hashes of what rota wrote: any other is of a person's hand."""
        return {h for h in (self.written, self.offered, *(found for _, found in self.begun)) if h is not None}


class NoteJournal:
    """The entries of one source, held by one process at a time. Raises StepError when it cannot be kept."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.jsonl"
        self._entries: dict[str, Entry] = {}
        self.lines = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            self._read()
            if self.lines > 2 * len(self._entries) + _SPARE_LINES:
                self._compact()
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StepError(f"cannot keep {self._path}: {error.strerror}", code="write_failed") from error

    def close(self) -> None:
        """Give it back."""
        with suppress(OSError):
            os.fsync(self._file)
        os.close(self._file)
        os.close(self._lock)

    def entry(self, note_id: str) -> Entry:
        """What is known of a note; an empty entry for one that was never written."""
        return self._entries.get(note_id, Entry())

    def owner_of(self, path: str) -> str | None:
        """The note that a path belongs to."""
        return next((note_id for note_id, entry in self._entries.items() if path in entry.places), None)

    def ids(self) -> list[str]:
        """Every note that was written."""
        return list(self._entries)

    def begin(self, note_id: str, path: str, digest: str) -> None:
        """A file is about to be written. On disk when this returns."""
        self._append(["begin", note_id, path, digest], durable=True)

    def end(self, note_id: str, path: str, digest: str) -> None:
        """It is written, or was there already."""
        self._append(["end", note_id, path, digest])

    def offer(self, note_id: str, path: str, digest: str) -> None:
        """A file beside a person's own is about to be written. On disk when this returns."""
        self._append(["offer", note_id, path, digest], durable=True)

    def settle(self, note_id: str) -> None:
        """There is no file beside it any more."""
        self._append(["settle", note_id])

    def _append(self, line: list[str], *, durable: bool = False) -> None:
        try:
            os.write(self._file, json.dumps(line).encode() + b"\n")
            if durable:
                os.fsync(self._file)
        except OSError as error:
            raise StepError(f"cannot write {self._path}: {error.strerror}", code="write_failed") from error
        self._apply(line)

    def _read(self) -> None:
        with suppress(FileNotFoundError):
            data = self._path.read_bytes()
            for line in data.split(b"\n"):
                with suppress(ValueError, TypeError):  # a line that a crash has cut off
                    self._apply(json.loads(line))
            if data and not data.endswith(b"\n"):
                self._compact()

    def _apply(self, line: Any) -> None:
        verb, note_id, *rest = line
        entry = self._entries.setdefault(note_id, Entry())
        self.lines += 1
        if verb == "begin":
            entry.begun.append((rest[0], rest[1]))
        elif verb == "end":
            entry.path, entry.written, entry.begun = rest[0], rest[1], []
        elif verb == "offer":
            entry.beside, entry.offered = rest[0], rest[1]
        elif verb == "settle":
            entry.beside = None

    def _compact(self) -> None:
        lines: list[list[str | None]] = []
        for note_id, entry in self._entries.items():
            if entry.path is not None:
                lines.append(["end", note_id, entry.path, entry.written])
            lines += [["begin", note_id, path, digest] for path, digest in entry.begun]
            if entry.offered is not None:
                lines.append(["offer", note_id, entry.beside, entry.offered])
        write_atomic(self._path, "".join(json.dumps(line) + "\n" for line in lines).encode())
        self.lines = len(lines)
