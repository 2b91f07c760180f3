"""What agents took, and what is set aside for those at work.

Revises: 0005.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _integer(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INTEGER, nullable=optional)


def upgrade() -> None:
    """Create the two tables. What was taken before nobody has counted."""
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
