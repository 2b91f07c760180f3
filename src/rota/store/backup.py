"""The copy of a state file that is kept when an update of rota changes its tables."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from rota.model.errors import StoreError
from rota.store.db import Database, store_error


def keep_copy(database: Database, revision: str) -> Path:
    """Copy what is committed to `state.db.before-rNNNN`, beside the file; copies of earlier updates go.

    Whoever calls this keeps others from writing meanwhile. The copy appears whole or not at all, and is
    readable by its owner alone. Raises StoreError; then there is no copy, and the earlier ones stay.
    """
    path = database.path
    copy = path.with_name(f"{path.name}.before-r{revision}")
    part = path.with_name(f"{path.name}.before.part")
    try:
        part.unlink(missing_ok=True)  # of a copy that was interrupted
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(database, part)
        part.replace(copy)
        for earlier in path.parent.glob(f"{path.name}.before-r*"):
            if earlier != copy:
                earlier.unlink()
        _sync(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(
            f"the state cannot be copied to {copy} before its update: {error.strerror}",
            hint="check the free space and the permissions of the folder",
        ) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return copy


def _copy(database: Database, part: Path) -> None:
    connection = database.connect(write=True)
    try:
        connection.execute("VACUUM INTO ?", (str(part),))
    except sqlite3.Error as error:
        raise store_error(error, database.path) from error
    finally:
        connection.close()
    _sync(part)  # SQLite does not, for a file that it makes this way


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
