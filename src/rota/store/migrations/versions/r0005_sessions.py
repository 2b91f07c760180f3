"""Conversations with agents: the sessions.

Revises: 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
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
