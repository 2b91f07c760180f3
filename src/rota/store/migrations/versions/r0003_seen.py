"""What triggers that look (at files, at sources) have seen, and how their looks went.

Revises: 0002.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _integer(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INTEGER, nullable=optional)


def _of_job() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["workspace_id", "job_id"], ["jobs.workspace_id", "jobs.id"])


def upgrade() -> None:
    """Create the two tables. Their rows come with the next reading of the job files, which a new version does anyway."""
    op.create_table(
        "looks",
        _text("workspace_id"),
        _text("job_id"),
        _text("trigger_id"),
        _text("kind"),
        _text("text"),
        _text("fingerprint"),
        _integer("partial"),
        _integer("looked_at", optional=True),
        _integer("news_at", optional=True),
        _text("found"),
        _integer("failures"),
        _integer("failing_since", optional=True),
        _text("error", optional=True),
        _integer("told"),
        _integer("not_before", optional=True),
        sa.PrimaryKeyConstraint("workspace_id", "job_id", "trigger_id"),
        _of_job(),
        sqlite_strict=True,
    )
    op.create_table(
        "seen",
        _text("workspace_id"),
        _text("job_id"),
        _text("trigger_id"),
        _text("item"),
        _text("version"),
        _integer("seen_at"),
        sa.PrimaryKeyConstraint("workspace_id", "job_id", "trigger_id", "item"),
        _of_job(),
        sqlite_strict=True,
    )
