"""What comes in by webhooks: the deliveries.

Revises: 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    texts = (
        "workspace_id",
        "id",
        "hook",
        "job_id",
        "trigger_id",
        "key",
        "digest",
        "client",
        "headers",
        "query",
    )
    op.create_table(
        "deliveries",
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("is_binary", _INTEGER, nullable=False),
        sa.Column("size", _INTEGER, nullable=False),
        sa.Column("received_at", _INTEGER, nullable=False),
        sa.Column("forgotten", _INTEGER, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
        sa.ForeignKeyConstraint(["workspace_id", "job_id"], ["jobs.workspace_id", "jobs.id"]),
        sqlite_strict=True,
    )
    keyed = ["workspace_id", "job_id", "trigger_id", "key"]
    op.create_index("deliveries_by_key", "deliveries", keyed, unique=True)
    op.create_index("deliveries_by_digest", "deliveries", ["workspace_id", "hook", "digest"])
    op.create_index("deliveries_by_hook", "deliveries", ["workspace_id", "hook", "received_at"])
    op.create_index("deliveries_by_time", "deliveries", ["workspace_id", "received_at"])
    has_run = sa.text("run_id IS NOT NULL")
    op.create_index(
        "deliveries_of_run",
        "deliveries",
        ["workspace_id", "run_id"],
        sqlite_where=has_run,
        postgresql_where=has_run,
    )
    kept = sa.text("forgotten = 0")
    op.create_index(
        "deliveries_kept",
        "deliveries",
        ["workspace_id", "received_at"],
        sqlite_where=kept,
        postgresql_where=kept,
    )
