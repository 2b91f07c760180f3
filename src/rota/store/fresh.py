"""A new state: the tables of this version from one script, where running every migration would take a second."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from rota.store.db import Database, store_error

# What the migrations add up to, by test; `python -m scripts.keep_schema` writes it after a new one.
SCRIPT = Path(__file__).parent / "migrations" / "head.sql"


def make(database: Database) -> None:
    """Make the tables in an empty file, in one transaction; where another process was first, nothing."""
    with closing(database.connect(write=True)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
                for statement in _statements(SCRIPT.read_text("utf-8")):
                    connection.execute(statement)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise store_error(error, database.path) from error


def _statements(text: str) -> Iterator[str]:
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if line.endswith(";\n") and sqlite3.complete_statement(statement):
            yield statement
            statement = ""
