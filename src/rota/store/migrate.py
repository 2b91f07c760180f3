"""Bringing a state file's tables to what this version needs.

The usual open reads one row, and a new file gets its tables from one script. Alembic, which takes longer
to import than all of rota, is only imported for a file that is older.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import cast

from rota.model.errors import StoreError
from rota.store import fresh
from rota.store.backup import keep_copy
from rota.store.db import OURS, Database, not_ours, store_error

SCRIPTS = f"{__package__}:migrations"
HEAD = "0005"  # revisions are numbers of four digits, so that newer and older can be told apart


def ensure_head(database: Database, connection: sqlite3.Connection) -> None:
    """Make the file that `connection` reads current; a StoreError when it is newer than this rota."""
    found = _revision(connection, database.path)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise StoreError(
            f"{database.path} was written by a newer rota (revision {found}, this one knows {HEAD})",
            hint="update rota",
            code="store_newer",
            permanent=True,
        )
    if database.read_only:
        raise StoreError(
            f"{database.path} is older than this rota and was opened read-only",
            hint="run any rota command that may write to it, such as `rota status`, to bring it up to date",
            code="store_older",
            permanent=True,
        )
    if found is None:
        fresh.make(database)
        if _revision(connection, database.path) == HEAD:
            return
    upgrade(database)


def needs_upgrade(path: Path) -> bool:
    """Whether there is a state that has to be brought up to date, or looked at more closely."""
    if not path.exists():
        return False
    try:
        with closing(Database(path, read_only=True).connect()) as connection:
            return _revision(connection, path) not in {HEAD, None}
    except StoreError:
        return True


def upgrade(database: Database) -> None:
    """Run the missing migrations in one transaction; a second process waits, then finds nothing to do.

    A state that has anything in it is copied first (`backup.keep_copy`).
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    engine = create_engine("sqlite://", creator=lambda: database.connect(write=True), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            # A migration that rebuilds a table drops the old one, which no reference may survive
            # or prevent; the check before the commit makes up for it.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            driver = cast("sqlite3.Connection", connection.connection.driver_connection)
            found = _revision(driver, database.path)
            if found == HEAD:
                return
            if found is not None:
                keep_copy(database, HEAD)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise StoreError(f"{database.path} could not be upgraded: a reference would break")
            connection.commit()
    except DBAPIError as error:
        cause = error.orig
        if isinstance(cause, sqlite3.Error):
            raise store_error(cause, database.path) from error
        raise


def _revision(connection: sqlite3.Connection, path: Path) -> str | None:
    """The revision of the tables; None in an empty file."""
    try:
        tables = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if not tables:
            return None
        if tables >= OURS:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return None if row is None else str(row[0])
    except sqlite3.Error as error:
        raise store_error(error, path) from error
    raise not_ours(path)
