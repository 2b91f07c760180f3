"""Core statements that are compiled once, and the session that runs them.

The compiled text goes straight to the driver's connection: a third of the time that
`Connection.execute` takes, and a run needs some twenty statements. Columns are text and integers
only, so there is nothing for SQLAlchemy to convert on the way.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BindParameter,
    ClauseElement,
    Column,
    ColumnElement,
    Insert,
    Select,
    Table,
    bindparam,
    literal_column,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Compiled

from rota.model.run import Reason
from rota.store.db import store_error

Row = tuple[Any, ...]

_DIALECT = sqlite.dialect(paramstyle="named")


class Statement:
    """A Core statement, built and compiled at first use; its parameters go by name.

    Building all of them at import would cost the command line 20 ms.
    """

    def __init__(self, build: Callable[[], ClauseElement]) -> None:
        self._build = build

    @cached_property
    def text(self) -> str:
        """The SQL."""
        return str(self._compiled)

    @cached_property
    def constants(self) -> dict[str, Any]:
        """Values that the statement itself brings along."""
        return {name: value for name, value in self._compiled.params.items() if value is not None}

    @cached_property
    def _compiled(self) -> Compiled:
        return self._build().compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})


class Session:
    """One connection's open transaction in one workspace. Failures of the driver become StoreError."""

    def __init__(self, connection: sqlite3.Connection, workspace_id: str, path: Path) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._path = path

    def all(self, statement: Statement, **values: Any) -> list[Row]:
        """Every row."""
        try:
            return self._run(statement, values).fetchall()
        except sqlite3.Error as error:
            raise store_error(error, self._path) from error

    def one(self, statement: Statement, **values: Any) -> Row | None:
        """The first row."""
        try:
            row: Row | None = self._run(statement, values).fetchone()
        except sqlite3.Error as error:
            raise store_error(error, self._path) from error
        return row

    def value(self, statement: Statement, **values: Any) -> Any:
        """The first column of the first row; None without one."""
        row = self.one(statement, **values)
        return None if row is None else row[0]

    def change(self, statement: Statement, **values: Any) -> int:
        """How many rows it changed."""
        try:
            return self._run(statement, values).rowcount
        except sqlite3.Error as error:
            raise store_error(error, self._path) from error

    def _run(self, statement: Statement, values: dict[str, Any]) -> sqlite3.Cursor:
        values["workspace_id"] = self._workspace_id
        if statement.constants:
            values |= statement.constants
        return self._connection.execute(statement.text, values)


def param(name: str) -> BindParameter[Any]:
    """A named parameter."""
    return bindparam(name)


def here(table: Table) -> ColumnElement[bool]:
    """The condition that every statement starts with: rows of this workspace."""
    return table.c.workspace_id == bindparam("workspace_id")


def columns(table: Table) -> list[Column[Any]]:
    """Every column but the workspace, in the table's order."""
    return [column for column in table.c if column.name != "workspace_id"]


def constant(value: StrEnum | int) -> ColumnElement[Any]:
    """A constant written into the text, where a partial index has to recognise it."""
    return literal_column(f"'{value}'" if isinstance(value, StrEnum) else str(value))


def constants(*values: StrEnum) -> list[ColumnElement[Any]]:
    """The same for `in_`; in the order of the index."""
    return [constant(value) for value in values]


def insert(table: Table, source: Select[Any] | None = None, **computed: ColumnElement[Any]) -> sqlite.Insert:
    """Insert what `source` selects, or a row of parameters named as the columns but for those `computed`."""
    statement = sqlite.insert(table)
    if source is not None:
        return statement.from_select([column.name for column in table.c], source)
    return statement.values({column.name: bindparam(column.name) for column in table.c} | computed)


def insert_new(table: Table) -> Insert:
    """Insert, or do nothing where the key is taken."""
    return insert(table).on_conflict_do_nothing(index_elements=list(table.primary_key))


def upsert(table: Table, source: Select[Any] | None = None, **computed: ColumnElement[Any]) -> Insert:
    """Insert, or replace every column of the row that has the key."""
    statement = insert(table, source, **computed)
    changed = {c.name: statement.excluded[c.name] for c in table.c if not c.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed)


_encode = json.JSONEncoder(separators=(",", ":")).encode


def to_json(value: Mapping[str, Any]) -> str:
    """The text of an object."""
    return _encode(dict(value)) if value else "{}"


def from_json(text: str) -> dict[str, Any]:
    """The object of a text."""
    return {} if text == "{}" else json.loads(text)


def list_to_json(values: Sequence[str]) -> str:
    """The text of a list."""
    return _encode(list(values)) if values else "[]"


def reason_of(code: str | None, text: str | None) -> Reason | None:
    """The reason in two columns."""
    return None if code is None else Reason(code, text or "")
