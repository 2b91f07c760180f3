"""Approvals: what a question is about, until when it waits, what a denial does, why it was answered so.

Revises: 0003.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KEPT = "workspace_id, run_id, step_id, kind, question, asked_at, job_id, choices, state, answer, answered_at, answered_by"


def _text(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _integer(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INTEGER, nullable=optional)


def _open(name: str, column: str) -> None:
    condition = sa.text("state = 'open'")
    op.create_index(
        name, "approvals", ["workspace_id", column], sqlite_where=condition, postgresql_where=condition
    )


def upgrade() -> None:
    """Make the table anew with the columns. What was asked before has none of it, and never expires."""
    op.drop_index("approvals_open", "approvals")
    op.rename_table("approvals", "approvals_before")
    op.create_table(
        "approvals",
        _text("workspace_id"),
        _text("run_id"),
        _text("step_id"),
        _text("kind"),
        _text("question"),
        _integer("asked_at"),
        _text("job_id"),
        _text("choices"),
        _text("state"),
        _text("answer", optional=True),
        _integer("answered_at", optional=True),
        _text("answered_by", optional=True),
        _text("preview", optional=True),
        _integer("expires_at", optional=True),
        _text("fallback", optional=True),
        _text("on_deny", optional=True),
        _text("reason", optional=True),
        sa.PrimaryKeyConstraint("workspace_id", "run_id", "step_id"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"], ["runs.workspace_id", "runs.id"], ondelete="CASCADE"
        ),
        sqlite_strict=True,
    )
    op.execute(f"INSERT INTO approvals ({_KEPT}) SELECT {_KEPT} FROM approvals_before")  # noqa: S608 # our own names
    op.drop_table("approvals_before")
    _open("approvals_open", "asked_at")
    _open("approvals_expiring", "expires_at")
