"""The session that runs statements, and the values that travel as JSON."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rota.model.run import Reason
from rota.store.bulk_columns import MOST, Columns
from rota.store.db import store_error
from rota.store.statements import Statement

Row = tuple[Any, ...]


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

    def many(self, statement: Statement, columns: Columns, rows: Sequence[Row]) -> list[Row]:
        """Run a statement that begins with `columns.table` over these rows; every row that it returns."""
        found: list[Row] = []
        try:
            for start in range(0, len(rows), MOST):
                size, values = columns.values(rows[start : start + MOST])
                text = columns.text(statement.text, size)
                found += self._connection.execute(text, (self._workspace_id, *values)).fetchall()
        except sqlite3.Error as error:
            raise store_error(error, self._path) from error
        return found

    def _run(self, statement: Statement, values: dict[str, Any]) -> sqlite3.Cursor:
        values["workspace_id"] = self._workspace_id
        if statement.constants:
            values |= statement.constants
        return self._connection.execute(statement.text, values)


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
