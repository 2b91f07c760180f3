"""What agents do: conversations, what they took, what they propose, their keys; the board, and who has taken which prompt.

Revises: 0004.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PENDING = sa.text("state IN ('open', 'applying')")


def _text(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _integer(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INTEGER, nullable=optional)


def upgrade() -> None:
    """Make the tables. What was there before was made by people, as far as anybody knows, and nobody counted its cost."""
    _sessions()
    _spend()
    _accounts()
    _cards()
    _comments_and_takes()
    _proposals()
    _agent_tokens()


def _sessions() -> None:
    op.create_table(
        "sessions",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("workspace_id", "key", "runner", "id")),
        sa.Column("model", sa.Text(), nullable=True),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("totals", "grants", "refused", "asked", "said")
        ),
        sa.Column("open", _INTEGER, nullable=False),
        sa.Column("updated_at", _INTEGER, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "key"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"
        ),
        sqlite_strict=True,
    )
    for name, column, condition in (
        ("sessions_of_run", "run_id", "run_id IS NOT NULL"),
        ("sessions_kept", "updated_at", "run_id IS NULL"),
    ):
        where = sa.text(condition)
        op.create_index(
            name, "sessions", ["workspace_id", column], sqlite_where=where, postgresql_where=where
        )


def _spend() -> None:
    op.create_table(
        "spend",
        _text("workspace_id"),
        _text("run_id"),
        _text("step_id"),
        _text("key"),
        _text("job_id"),
        _integer("attempt"),
        _integer("at"),
        _text("runner"),
        _text("model"),
        _integer("input"),
        _integer("output"),
        _integer("cache_read"),
        _integer("cache_write"),
        _integer("nano_usd", optional=True),
        _integer("client_nano_usd", optional=True),
        _integer("turns"),
        _integer("worked"),
        sa.PrimaryKeyConstraint("workspace_id", "run_id", "step_id", "key"),
        sa.ForeignKeyConstraint(["workspace_id", "job_id"], ["jobs.workspace_id", "jobs.id"]),
        sqlite_strict=True,
    )
    op.create_index("spend_by_job", "spend", ["workspace_id", "job_id", "at"])
    op.create_index("spend_by_time", "spend", ["workspace_id", "at"])


def _accounts() -> None:
    op.create_table(
        "accounts",
        _text("workspace_id"),
        _text("run_id"),
        _text("step_id"),
        _integer("attempt"),
        _text("job_id"),
        _integer("token"),
        _text("runner"),
        _text("model"),
        _integer("opened_at"),
        _integer("closed_at", optional=True),
        _integer("nano_usd"),
        _integer("tokens"),
        _integer("turns"),
        _integer("worked"),
        _text("over", optional=True),
        sa.PrimaryKeyConstraint("workspace_id", "run_id", "step_id", "attempt"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"
        ),
        sqlite_strict=True,
    )
    condition = sa.text("closed_at IS NULL")
    op.create_index(
        "accounts_open", "accounts", ["workspace_id", "run_id", "step_id", "attempt"],
        sqlite_where=condition, postgresql_where=condition,
    )  # fmt: skip
    op.create_index("accounts_by_step", "accounts", ["workspace_id", "job_id", "step_id", "opened_at"])


def _of_cards(name: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, "cards", columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


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
    _of_cards("cards_open", ["workspace_id", "lane", "position"], "archived_at IS NULL")
    _of_cards(
        "cards_archived", ["workspace_id", "archived_at"], "archived_at IS NOT NULL AND removed_at IS NULL"
    )
    _of_cards("cards_by_key", ["workspace_id", "key"], "key IS NOT NULL", unique=True)


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


def _proposals() -> None:
    for name in ("created_by", "changed_by", "removed_by"):
        op.add_column("jobs", _integer(name, optional=True))
    op.create_table(
        "proposals",
        _text("workspace_id"),
        _integer("number"),
        _text("deed"),
        _text("state"),
        _text("job_id", optional=True),
        _text("actor"),
        _text("title"),
        _text("why"),
        _text("path", optional=True),
        _text("before", optional=True),
        _text("after", optional=True),
        _text("hash", optional=True),
        _text("detail"),
        _integer("asked_at"),
        _integer("expires_at", optional=True),
        _integer("decided_at", optional=True),
        _text("decided_by", optional=True),
        _text("answer", optional=True),
        _text("result"),
        sa.PrimaryKeyConstraint("workspace_id", "number"),
        sqlite_strict=True,
    )
    op.create_index(
        "proposals_pending",
        "proposals",
        ["workspace_id", "number"],
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )
    op.create_index("proposals_by_time", "proposals", ["workspace_id", "asked_at"])
    op.create_index("proposals_of_job", "proposals", ["workspace_id", "job_id", "number"])


def _agent_tokens() -> None:
    op.create_table(
        "agent_tokens",
        _text("workspace_id"),
        _text("name"),
        _text("digest"),
        _text("agent"),
        _text("scopes"),
        _integer("created_at"),
        _integer("expires_at", optional=True),
        _integer("used_at", optional=True),
        sa.PrimaryKeyConstraint("workspace_id", "name"),
        sqlite_strict=True,
    )
