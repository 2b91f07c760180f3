"""The board: cards and what was said on them; who has taken which prompt of the inbox.

Revises: 0006.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _integer(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INTEGER, nullable=optional)


def _partial(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, "cards", columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    """Make the tables."""
    _cards()
    _comments_and_takes()


def _cards() -> None:
    op.create_table(
        "cards",
        _text("workspace_id"),
        _integer("number"),
        _text("title"),
        _text("lane"),
        _text("created_by"),
        _integer("created_at"),
        _integer("updated_at"),
        _text("body"),
        _integer("position"),
        _text("kind"),
        _text("tags"),
        _text("due", optional=True),
        _text("assignee", optional=True),
        _integer("version"),
        _integer("comments"),
        _text("key", optional=True),
        _text("links"),
        _text("data"),
        _integer("archived_at", optional=True),
        _integer("removed_at", optional=True),
        sa.PrimaryKeyConstraint("workspace_id", "number"),
        sqlite_strict=True,
    )
    _partial("cards_open", ["workspace_id", "lane", "position"], "archived_at IS NULL")
    _partial(
        "cards_archived", ["workspace_id", "archived_at"], "archived_at IS NOT NULL AND removed_at IS NULL"
    )
    _partial("cards_by_key", ["workspace_id", "key"], "key IS NOT NULL", unique=True)


def _comments_and_takes() -> None:
    op.create_table(
        "card_comments",
        _text("workspace_id"),
        _integer("card"),
        _integer("id"),
        _text("author"),
        _text("body"),
        _integer("at"),
        sa.PrimaryKeyConstraint("workspace_id", "card", "id"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "card"], ["cards.workspace_id", "cards.number"], ondelete="CASCADE"
        ),
        sqlite_strict=True,
    )
    _takes()


def _takes() -> None:
    op.create_table(
        "takes",
        _text("workspace_id"),
        _text("run_id"),
        _text("step_id"),
        _integer("asked_at"),
        _text("taken_by"),
        _integer("taken_at"),
        _integer("until"),
        sa.PrimaryKeyConstraint("workspace_id", "run_id", "step_id"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"
        ),
        sqlite_strict=True,
    )
