"""Bring the index up to date: what is new, what changed, what is gone. Two at once do no harm: one waits, or leaves it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from rota.model.config import IndexConfig
from rota.model.errors import RotaError
from rota.workspace.index import db
from rota.workspace.index.files import Found, Scan
from rota.workspace.index.passages import Note, read_note
from rota.workspace.index.text import decode, holds_key
from rota.workspace.index.vectors import embed_missing
from rota.workspace.index.words import spaced, whole
from rota.workspace.layout import Layout

# A file that was written so short a time before it was read may be written again in the same tick of its clock.
_RACY = 2_000_000_000
_BATCH_FILES = 200
_BATCH_BYTES = 8_000_000
_PROBLEMS = 20

OnProgress = Callable[[int], None]


@dataclass
class Report:
    """What an update did. `files`: those that can be found now; `left_out`: how many were not taken, by reason.

    `busy`: another process is at it, and nothing was done here. `began_anew`: why the index was made from nothing.
    `folders`: those that hold what is indexed.
    """

    files: int = 0
    passages: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    busy: bool = False
    began_anew: str | None = None
    seconds: float = 0.0

    @property
    def quiet(self) -> bool:
        """Whether everything was as it is."""
        return not (self.added or self.changed or self.removed)


@dataclass(frozen=True)
class _Known:
    id: int
    mtime: int
    size: int
    read_at: int
    hash: bytes | None
    left_out: str | None


def update(
    layout: Layout,
    config: IndexConfig,
    *,
    only: Sequence[str] = (),
    rebuild: bool = False,
    wait: float = 600.0,
    on_progress: OnProgress = lambda _: None,
) -> Report:
    """Make the index say what the files say. `only`: at or below these paths; `wait`: seconds, for another indexer.

    Raises RotaError when it cannot be written. A file that cannot be read is in the report, and harms no other.
    """
    path, begun = db.index_path(layout), time.monotonic()
    with db.only_one(path, wait) as mine:
        if not mine:
            return Report(busy=True)
        try:
            report = _with_index(layout, config, path, only=only, rebuild=rebuild, on_progress=on_progress)
        except sqlite3.Error as error:
            raise RotaError(
                f"cannot write the index {layout.relative(path)}: {error}",
                hint="is the disk full? `rota index --rebuild` makes it anew",
                code="index",
            ) from error
    report.seconds = time.monotonic() - begun
    return report


def _with_index(
    layout: Layout,
    config: IndexConfig,
    path: Path,
    *,
    only: Sequence[str],
    rebuild: bool,
    on_progress: OnProgress,
) -> Report:
    why = "as it was asked to" if rebuild else ""
    if not rebuild:
        try:
            con = db.connect(path)
        except db.NoIndexError as error:
            why = str(error)
        else:
            try:
                return _Update(con, layout, config, on_progress).run(only)
            except sqlite3.DatabaseError as error:
                if not db.is_damage(error):  # no room, no permission, locked
                    raise
                why = f"it is damaged ({error})"
            finally:
                con.close()
    con = db.create(path)
    try:
        report = _Update(con, layout, config, on_progress).run(())
        con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        con.close()
    report.began_anew = why
    return report


class _Update:
    def __init__(
        self, con: sqlite3.Connection, layout: Layout, config: IndexConfig, on_progress: OnProgress
    ) -> None:
        self._con = con
        self._layout = layout
        self._config = config
        self._on_progress = on_progress
        self._report = Report()
        self._done = 0

    def run(self, only: Sequence[str]) -> Report:
        scan = Scan(self._layout.root, self._config)
        known = self._known(only)
        stale = self._stale(scan.files(only), known)
        while batch := self._batch(stale):
            with db.transaction(self._con):
                for found, data in batch:
                    self._take(found, data, known.pop(found.path, None))
            self._done += len(batch)
            self._on_progress(self._done)
        gone = list(known.items())
        for begin in range(0, len(gone), _BATCH_FILES):
            with db.transaction(self._con):
                for path, old in gone[begin : begin + _BATCH_FILES]:
                    self._forget(path, old)
                    self._report.removed += old.left_out is None
        problem = embed_missing(self._con, self._config, self._layout)
        if problem is not None:
            self._report.problems.append(problem)
        return self._summed(scan)

    def _known(self, only: Sequence[str]) -> dict[str, _Known]:
        rows = self._con.execute("SELECT path, id, mtime, size, read_at, hash, left_out FROM files")
        inside = [path.rstrip("/") for path in only]
        return {
            row[0]: _Known(*row[1:])
            for row in rows
            if not inside or any(not one or row[0] == one or row[0].startswith(f"{one}/") for one in inside)
        }

    def _stale(self, found: Iterable[Found], known: dict[str, _Known]) -> Iterator[Found]:
        """The files that may say something else than the index; those that do not are no longer in `known`."""
        for file in found:
            old = known.get(file.path)
            same = (
                old is not None
                and (old.mtime, old.size) == (file.mtime, file.size)
                and old.read_at - old.mtime > _RACY
                and (old.left_out == "too large") == (file.size > self._config.max_file)
            )
            if same:
                del known[file.path]
            else:
                yield file

    def _batch(self, stale: Iterator[Found]) -> list[tuple[Found, bytes | None]]:
        """Some files with what is in them; None in place of those that are too large."""
        batch: list[tuple[Found, bytes | None]] = []
        size = 0
        for found in islice(stale, _BATCH_FILES):
            data = None
            if found.size <= self._config.max_file:
                try:
                    data = self._read(found)
                except OSError as error:
                    if not isinstance(error, FileNotFoundError):
                        self._report.problems.append(f"{found.path}: {error.strerror}")
                    continue
            batch.append((found, data))
            size += found.size
            if size >= _BATCH_BYTES:
                break
        return batch

    def _read(self, found: Found) -> bytes | None:
        with (self._layout.root / found.path).open("rb") as file:
            data = file.read(self._config.max_file + 1)
        return data if len(data) <= self._config.max_file else None  # it grew since it was looked at

    def _take(self, found: Found, data: bytes | None, old: _Known | None) -> None:
        digest = None if data is None else hashlib.blake2b(data, digest_size=16).digest()
        now = time.time_ns()
        if old is not None and digest is not None and old.hash == digest:
            self._touch(found, now, old)
            return
        text = None if data is None else decode(data)
        left_out = "too large" if data is None else "binary" if text is None else None
        if text is not None and holds_key(text):
            left_out, text = "secret", None
        note = read_note(found.path, text or "") if left_out is None else Note("", (), None, ())
        if old is not None:
            self._forget(found.path, old)
            self._report.changed += left_out is None
        else:
            self._report.added += left_out is None
        self._put(found, digest, now, left_out, note)

    def _touch(self, found: Found, now: int, old: _Known) -> None:
        """The same content at another time: a note that names no day is as old as its file."""
        self._con.execute(
            "UPDATE files SET mtime = ?, size = ?, read_at = ?, moment = iif(moment = ?, ?, moment) WHERE id = ?",
            (found.mtime, found.size, now, old.mtime // 1000, found.mtime // 1000, old.id),
        )

    def _put(self, found: Found, digest: bytes | None, now: int, left_out: str | None, note: Note) -> None:
        moment = note.moment if note.moment is not None else found.mtime // 1000
        cursor = self._con.execute(
            "INSERT INTO files (path, mtime, size, hash, read_at, left_out, title, tags, moment)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(found.path, found.mtime, found.size, digest, now, left_out),
                *(whole(note.title), json.dumps(note.tags, ensure_ascii=False), moment),
            ),
        )
        file, title, path = cursor.lastrowid, whole(note.title), found.path
        for passage in note.passages:
            heading, text = whole(passage.heading), whole(passage.text)
            row = self._con.execute(
                "INSERT INTO passages (file, heading, line, last, text) VALUES (?, ?, ?, ?, ?)",
                (file, heading, passage.line, passage.last, text),
            ).lastrowid
            self._con.execute(
                "INSERT INTO words (rowid, title, heading, text, path) VALUES (?, ?, ?, ?, ?)",
                (row, *map(spaced, (title, heading, text, path))),
            )

    def _forget(self, path: str, old: _Known) -> None:
        """Take a file out: the words as they were put in, since the table of words keeps no text of its own."""
        if old.left_out is None:
            (title,) = self._con.execute("SELECT title FROM files WHERE id = ?", (old.id,)).fetchone()
            rows = self._con.execute(
                "SELECT id, heading, text FROM passages WHERE file = ?", (old.id,)
            ).fetchall()
            self._con.executemany(
                "INSERT INTO words (words, rowid, title, heading, text, path) VALUES ('delete', ?, ?, ?, ?, ?)",
                [(row, *map(spaced, (title, heading, text, path))) for row, heading, text in rows],
            )
        self._con.execute("DELETE FROM files WHERE id = ?", (old.id,))

    def _summed(self, scan: Scan) -> Report:
        report = self._report
        report.left_out = dict(scan.left_out)
        for reason, count in self._con.execute(
            "SELECT left_out, count(*) FROM files WHERE left_out IS NOT NULL GROUP BY left_out"
        ):
            report.left_out[reason] = report.left_out.get(reason, 0) + count
        (report.files,) = self._con.execute("SELECT count(*) FROM files WHERE left_out IS NULL").fetchone()
        (report.passages,) = self._con.execute("SELECT count(*) FROM passages").fetchone()
        problems = [*scan.problems, *report.problems]
        more = len(problems) - _PROBLEMS
        report.problems = problems[:_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
        report.folders = scan.folders
        return report
