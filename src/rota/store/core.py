"""What statements are built of in SQLAlchemy Core, and how they are compiled.

The compiled text goes straight to the driver's connection: a third of the time that
`Connection.execute` takes, and a run needs some twenty statements. Columns are text and integers
only, so there is nothing for SQLAlchemy to convert on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
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

from rota.store.statements import Sql, Statement

_DIALECT = sqlite.dialect(paramstyle="named")


def statement(build: Callable[[], ClauseElement]) -> Statement:
    """A Core statement, built and compiled at first use."""
    return Statement(lambda: _compiled(build()))


def _compiled(element: ClauseElement) -> Sql:
    compiled = element.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    return Sql(str(compiled), {name: value for name, value in compiled.params.items() if value is not None})


def param(name: str) -> BindParameter[Any]:
    """A named parameter."""
    return bindparam(name)


def here(table: Table) -> ColumnElement[bool]:
    """The condition that every statement starts with: rows of this workspace."""
    return table.c.workspace_id == bindparam("workspace_id")


def columns(table: Table) -> list[Column[Any]]:
    """Every column but the workspace, in the table's order."""
    return [column for column in table.c if column.name != "workspace_id"]


def constant(value: str | int) -> ColumnElement[Any]:
    """A constant written into the text, where a partial index has to recognise it."""
    return literal_column(f"'{value}'" if isinstance(value, str) else str(value))


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
