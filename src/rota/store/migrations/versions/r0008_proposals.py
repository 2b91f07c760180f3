"""What agents do: proposals, the keys to the MCP door, and by which proposal a job became what it is.

Revises: 0007.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PENDING = sa.text("state IN ('open', 'applying')")


def _text(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _integer(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INTEGER, nullable=optional)


def upgrade() -> None:
    """Create the tables and add the columns. What there is was made by people, as far as anybody knows."""
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
