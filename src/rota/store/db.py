"""The file: how it is created and opened, and what its failures are called.

Connections are the driver's own, in autocommit: every BEGIN and COMMIT of rota is written out, since
the driver would otherwise start transactions late and leave schema changes outside of them.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from rota.model.errors import StoreError

_OLDEST_SQLITE = (3, 38, 0)  # STRICT tables; `->>`
PAGES_AT_ONCE = 200  # given back in one commit: a moment's work
OURS = frozenset({"alembic_version", "occurrences"})  # tables by which a state file is known
# Pages (of 4 KB) of the log after which a commit also moves them into the file: eight times SQLite's own, since
# under load that would be every few commits.
_CHECKPOINT = 8000
_WAL_LIMIT = 64 * 1024 * 1024  # bytes that the log keeps after a burst


class Database:
    """A state file and how to connect to it.

    `busy_timeout`: seconds to wait for another process's lock. Unless `read_only`, the file is
    created when it is not there, readable by its owner alone; SQLite gives its -wal and -shm files
    the same mode.
    """

    def __init__(self, path: Path, *, read_only: bool = False, busy_timeout: float = 60.0) -> None:
        self.path = path.absolute()
        self.read_only = read_only
        self.busy_timeout = busy_timeout
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreError(
                f"SQLite {sqlite3.sqlite_version} is too old",
                hint="use a Python whose sqlite3 module has SQLite 3.38 or newer",
                permanent=True,
            )
        if not read_only:
            self._create()
        elif not os.access(self.path, os.F_OK):
            raise StoreError(
                f"there is no state at {self.path}", hint="run `rota init` in the workspace", permanent=True
            )

    def _create(self) -> None:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return
        except OSError as error:
            raise StoreError(
                f"the state cannot be created at {self.path}: {error.strerror}",
                hint="run `rota init` in the workspace, and check who may write to its .rota folder",
                permanent=True,
            ) from error
        os.fchmod(handle, 0o600)  # whatever the umask left of it
        os.close(handle)

    def connect(self, *, write: bool = False) -> sqlite3.Connection:
        """A connection that may be used from any one thread at a time; a StoreError says why not."""
        mode = "ro" if self.read_only else "rw"
        try:
            connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode={mode}",
                uri=True,
                timeout=self.busy_timeout,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error
        try:
            if not self.read_only:
                if self.path.stat().st_size == 0:  # it takes effect before there is a first page only
                    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
                self._enable_wal(connection)
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(
                "PRAGMA fullfsync=ON"
            )  # macOS: else a disk's own cache may lose what was committed
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT}")
            connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT}")
            if not write:
                connection.execute("PRAGMA query_only=ON")
        except sqlite3.Error as error:
            connection.close()
            raise store_error(error, self.path) from error
        except StoreError:
            connection.close()
            raise
        return connection

    def _enable_wal(self, connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if mode == "wal":
            return
        names = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if names and not names >= OURS:  # setting the mode would be to write to it
            raise not_ours(self.path)
        # SQLite does not wait for a lock here, so two processes that open a new file have to.
        deadline = time.monotonic() + self.busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.005)
            else:
                return


def not_ours(path: Path) -> StoreError:
    """The file is a whole database, and somebody else's."""
    return StoreError(
        f"{path} is a database of something other than rota",
        hint="move it away, or put a backup in its place",
        code="store_not_a_database",
        permanent=True,
    )


def damage(connection: sqlite3.Connection) -> str | None:
    """The first thing that is wrong with the file; None when it is whole."""
    (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        return " ".join(str(found).split())
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    return (
        None if broken is None else f"a row of {broken[0]} refers to a row of {broken[2]} that is not there"
    )


def used(connection: sqlite3.Connection) -> int:
    """Bytes of the pages that hold something."""
    return (_number(connection, "page_count") - _number(connection, "freelist_count")) * _number(
        connection, "page_size"
    )


def shrink(connection: sqlite3.Connection, spare: int) -> int:
    """Take up to PAGES_AT_ONCE free pages from the file, but for `spare` bytes of them; how many bytes went.

    Part of a transaction. A file from before there was such a thing stays as long as it is, and fills again.
    """
    size, before = _number(connection, "page_size"), _number(connection, "freelist_count")
    for _ in range(min(PAGES_AT_ONCE, before - spare // size)):
        # One page to a call, whatever number is asked for: the driver stops after the first step.
        connection.execute("PRAGMA incremental_vacuum(1)")
    return (before - _number(connection, "freelist_count")) * size


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    (found,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    return int(found)


# SQLite's primary result code -> (our code, what is wrong, what to do, whether it is permanent)
_FAILURES: dict[int, tuple[str, str, str, bool]] = {
    sqlite3.SQLITE_NOTADB: (
        "store_not_a_database",
        "{path} is not a rota state file",
        "move it away, or put a backup in its place",
        True,
    ),
    sqlite3.SQLITE_CORRUPT: (
        "store_corrupt",
        "{path} is damaged",
        "stop rota, then put a backup in its place or try `sqlite3 {path} .recover`",
        True,
    ),
    sqlite3.SQLITE_READONLY: (
        "store_read_only",
        "{path} is read-only here",
        "check who owns the file and its folder, and how the disk is mounted",
        True,
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "store_cannot_open",
        "{path} cannot be opened",
        "check that the folder exists and who may read and write it",
        True,
    ),
    sqlite3.SQLITE_FULL: (
        "store_disk_full",
        "the disk of {path} is full",
        "free some space: rota carries on by itself",
        False,
    ),
    sqlite3.SQLITE_IOERR: (
        "store_io",
        "the disk of {path} failed ({detail})",
        "check the disk and its free space",
        False,
    ),
    sqlite3.SQLITE_BUSY: (
        "store_locked",
        "{path} is locked by another process",
        "end the process that holds it; `fuser {path}` names it",
        False,
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        "store_refused",
        "the state does not take this change ({detail})",
        "what it refers to is not in the state: please report this as a defect of rota",
        True,
    ),
}


def store_error(error: sqlite3.Error, path: Path) -> StoreError:
    """What a failure of the driver means, in one line, with a hint."""
    known = _FAILURES.get(_primary_code(error))
    if known is None:
        return StoreError(f"the state at {path} failed: {error}", hint="see `rota doctor`")
    code, message, hint, permanent = known
    return StoreError(
        message.format(path=path, detail=error),
        hint=hint.format(path=path),
        code=code,
        permanent=permanent,
    )


def _primary_code(error: sqlite3.Error) -> int:
    # Errors of the module itself (a closed connection) carry no code.
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
