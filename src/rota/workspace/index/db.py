"""The index's file: its tables, how it is opened, and how one that cannot be used is begun anew."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rota.model.errors import RotaError
from rota.workspace.layout import Layout

# Raised when what is stored changes its meaning: the tables, how texts are taken apart, how words are folded.
VERSION = 1
_TABLES = """
CREATE TABLE files (
  id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE, mtime INTEGER NOT NULL, size INTEGER NOT NULL,
  hash BLOB, read_at INTEGER NOT NULL, left_out TEXT, title TEXT NOT NULL, tags TEXT NOT NULL, moment INTEGER NOT NULL
) STRICT;
CREATE TABLE passages (
  id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES files ON DELETE CASCADE, heading TEXT NOT NULL,
  line INTEGER NOT NULL, last INTEGER NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX passages_of_file ON passages (file);
CREATE VIRTUAL TABLE words USING fts5 (
  title, heading, text, path, content='', tokenize="unicode61 remove_diacritics 2", prefix='2 3'
);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab (words, 'row');
CREATE TABLE vectors (passage INTEGER PRIMARY KEY REFERENCES passages ON DELETE CASCADE, vector BLOB NOT NULL) STRICT;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""
_BUSY = 30.0


def index_path(layout: Layout) -> Path:
    """Where the index is."""
    return layout.cache / "index.db"


class NoIndexError(Exception):
    """There is no index here, or none that this version can use."""


def connect(path: Path) -> sqlite3.Connection:
    """The index as it is. Raises NoIndexError where it is missing, damaged or of another version."""
    if not path.is_file():
        raise NoIndexError("there is none yet")
    try:
        con = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_BUSY, isolation_level=None)
    except sqlite3.Error as error:
        raise NoIndexError(str(error)) from None
    try:
        _set_up(con)
        version = con.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        con.close()
        if not is_damage(error):
            raise
        raise NoIndexError(f"it is damaged ({error})") from None
    if version != VERSION:
        con.close()
        raise NoIndexError("it was made by another version of rota")
    return con


def create(path: Path) -> sqlite3.Connection:
    """An empty index in place of what is there. Only for the holder of the lock."""
    discard(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    con = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
    con.execute("PRAGMA journal_mode = WAL")
    _set_up(con)
    con.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    return con


def discard(path: Path) -> None:
    """Remove the index. A process that reads it goes on with what it has open."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _set_up(con: sqlite3.Connection) -> None:
    # What a power cut takes from derived data is made again; a process that is killed loses nothing.
    con.execute("PRAGMA synchronous = NORMAL")
    con.execute("PRAGMA foreign_keys = ON")
    con.execute("PRAGMA journal_size_limit = 4000000")
    con.execute("PRAGMA cache_size = -16000")


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether it is the content of the file that cannot be used; not a lock, a full disk, a missing permission."""
    return not isinstance(error, sqlite3.OperationalError) or "no such" in str(error)


@contextmanager
def transaction(con: sqlite3.Connection) -> Iterator[None]:
    """All of it or none."""
    con.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            con.execute("ROLLBACK")
        raise
    con.execute("COMMIT")


@contextmanager
def only_one(path: Path, wait: float) -> Iterator[bool]:
    """Be the one who writes the index; False when another process still is after `wait` seconds.

    The lock goes with its process, however that ends. Raises RotaError where no lock can be had at all.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_name("index.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RotaError(
            f"cannot write the index in {path.parent}: {error.strerror}",
            hint="look at the folder's permissions",
        ) from None
    try:
        yield _locked(handle, wait)
    finally:
        os.close(handle)


def _locked(handle: int, wait: float) -> bool:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True
