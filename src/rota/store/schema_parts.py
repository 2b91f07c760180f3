"""What the tables are made of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Integer, MetaData, Table, Text
from sqlalchemy.schema import SchemaItem
from sqlalchemy.sql.elements import ColumnElement

metadata = MetaData()

_INTEGER = BigInteger().with_variant(Integer(), "sqlite")


def text(name: str, *, key: bool = False, optional: bool = False) -> Column[Any]:
    """A column of text, or of JSON."""
    return Column(name, Text(), primary_key=key, nullable=optional)


def integer(name: str, *, key: bool = False, optional: bool = False) -> Column[Any]:
    """A column of whole numbers: instants, counts, a yes or no."""
    return Column(name, _INTEGER, primary_key=key, nullable=optional)


def table(name: str, *items: SchemaItem) -> Table:
    """A table whose key begins with the workspace."""
    return Table(name, metadata, text("workspace_id", key=True), *items, sqlite_strict=True)


def refers(own: str, table: str, other: str, *, cascade: bool = False) -> ForeignKeyConstraint:
    """A foreign key within the workspace."""
    return ForeignKeyConstraint(
        ["workspace_id", own],
        [f"{table}.workspace_id", f"{table}.{other}"],
        ondelete="CASCADE" if cascade else None,
    )


def partial(name: str, *columns: ColumnElement[Any], where: ColumnElement[bool]) -> None:
    """An index of the rows that meet a condition."""
    # Naming Postgres here too would import its dialect, which costs the command line 30 ms. The
    # migrations name both.
    Index(name, *columns, sqlite_where=where)
