"""The first state: jobs, triggers, occurrences, runs, messages, approvals, events.

Revises: nothing. A migration is history: it is not changed once released, and it does not import
`rota.store.schema`, which goes on.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=optional)


def _integer(name: str, *, optional: bool = False) -> sa.Column[Any]:
    return sa.Column(name, _INTEGER, nullable=optional)


def _table(name: str, *items: sa.schema.SchemaItem, key: tuple[str, ...]) -> None:
    primary = sa.PrimaryKeyConstraint("workspace_id", *key)
    op.create_table(name, _text("workspace_id"), *items, primary, sqlite_strict=True)


def _refers(own: str, table: str, other: str, *, cascade: bool = False) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id", own],
        [f"{table}.workspace_id", f"{table}.{other}"],
        ondelete="CASCADE" if cascade else None,
    )


def _index(name: str, table: str, *columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    parts = [sa.text(column) if " " in column else column for column in columns]
    op.create_index(name, table, ["workspace_id", *parts], sqlite_where=condition, postgresql_where=condition)


def upgrade() -> None:
    """Create every table."""
    _jobs()
    _time()
    _runs()
    _journal()
    _feed()


def _jobs() -> None:
    _table(
        "job_definitions",
        _text("hash"),
        _text("body"),
        key=("hash",),
    )
    _table(
        "jobs",
        _text("id"),
        _text("name"),
        _text("hash"),
        _text("origin"),
        _text("path", optional=True),
        _text("description"),
        _text("schedule"),
        _text("timezone"),
        _integer("enabled"),
        _integer("paused_at", optional=True),
        _text("paused_reason", optional=True),
        _text("error", optional=True),
        _text("warnings"),
        _integer("created_at"),
        _integer("updated_at"),
        _integer("removed_at", optional=True),
        _refers("hash", "job_definitions", "hash"),
        key=("id",),
    )
    _table(
        "broken_files",
        _text("path"),
        _text("error"),
        _integer("line", optional=True),
        _text("hint", optional=True),
        _integer("seen_at"),
        key=("path",),
    )


def _time() -> None:
    _table(
        "triggers",
        _text("job_id"),
        _text("trigger_id"),
        _text("kind"),
        _text("text"),
        _text("timezone"),
        _integer("anchor", optional=True),
        _integer("since"),
        _integer("next_due", optional=True),
        _integer("active"),
        _refers("job_id", "jobs", "id"),
        key=("job_id", "trigger_id"),
    )
    _index("triggers_due", "triggers", "next_due", where="active = 1 AND next_due IS NOT NULL")
    _table(
        "occurrences",
        _text("job_id"),
        _text("trigger_id"),
        _text("key"),
        _integer("due_at"),
        _integer("noticed_at"),
        _text("outcome"),
        _text("reason_code"),
        _text("reason_text"),
        _text("run_id", optional=True),
        _integer("until", optional=True),
        _integer("count"),
        _text("detail"),
        _refers("job_id", "jobs", "id"),
        key=("job_id", "trigger_id", "key"),
    )
    _index("occurrences_by_due", "occurrences", "job_id", "due_at")
    _index("occurrences_of_run", "occurrences", "run_id", where="run_id IS NOT NULL")
    _index("occurrences_stretches", "occurrences", "job_id", "until", where="until IS NOT NULL")


def _runs() -> None:
    _table(
        "runs",
        _text("id"),
        _text("job_id"),
        _text("state"),
        _text("definition"),
        _integer("queued_at"),
        _text("trigger_id"),
        _text("occurrence_key", optional=True),
        _integer("due_at", optional=True),
        _text("reason_code"),
        _text("reason_text"),
        _text("inputs"),
        _text("concurrency_group", optional=True),
        _integer("priority"),
        _integer("token"),
        _text("owner", optional=True),
        _integer("lease_until", optional=True),
        _integer("not_before", optional=True),
        _integer("started_at", optional=True),
        _integer("finished_at", optional=True),
        _integer("cancel_requested"),
        _text("outputs"),
        _refers("job_id", "jobs", "id"),
        _refers("definition", "job_definitions", "hash"),
        key=("id",),
    )
    _index("runs_active", "runs", "job_id", "state", where="state IN ('queued', 'running', 'waiting')")
    _index("runs_by_job", "runs", "job_id", "queued_at", "id")
    _index("runs_by_time", "runs", "queued_at", "id")
    _index("runs_queued", "runs", "priority DESC", "queued_at", "id", where="state = 'queued'")
    _index("runs_running", "runs", "owner", where="state = 'running'")
    _index("runs_waiting", "runs", "not_before", where="state = 'waiting'")


def _journal() -> None:
    _table(
        "steps",
        _text("run_id"),
        _text("step_id"),
        _integer("position"),
        _text("state"),
        _integer("attempts"),
        _integer("started_at", optional=True),
        _integer("finished_at", optional=True),
        _integer("retry_at", optional=True),
        _text("reason_code", optional=True),
        _text("reason_text", optional=True),
        _text("output"),
        _text("outputs"),
        _refers("run_id", "runs", "id", cascade=True),
        key=("run_id", "step_id"),
    )
    _table(
        "attempts",
        _text("run_id"),
        _text("step_id"),
        _integer("number"),
        _text("state"),
        _integer("started_at"),
        _integer("finished_at", optional=True),
        _integer("exit_code", optional=True),
        _text("reason_code", optional=True),
        _text("reason_text", optional=True),
        _text("excerpt"),
        _text("log", optional=True),
        _integer("output_bytes"),
        _integer("truncated"),
        _refers("run_id", "runs", "id", cascade=True),
        key=("run_id", "step_id", "number"),
    )
    _table(
        "approvals",
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
        _refers("run_id", "runs", "id", cascade=True),
        key=("run_id", "step_id"),
    )
    _index("approvals_open", "approvals", "asked_at", where="state = 'open'")


def _feed() -> None:
    _table(
        "outbox",
        _text("key"),
        _text("channel"),
        _text("body"),
        _integer("created_at"),
        _text("title"),
        _text("config"),
        _text("job_id", optional=True),
        _text("run_id", optional=True),
        _text("state"),
        _integer("attempts"),
        _integer("not_before"),
        _integer("claimed_at", optional=True),
        _integer("sent_at", optional=True),
        _text("error", optional=True),
        key=("key",),
    )
    _index("outbox_by_run", "outbox", "run_id", "created_at", where="run_id IS NOT NULL")
    _index("outbox_by_time", "outbox", "created_at")
    _index("outbox_pending", "outbox", "not_before", where="state = 'pending'")
    _index("outbox_sending", "outbox", "claimed_at", where="state = 'sending'")
    op.create_table(
        "events",
        sa.Column("id", _INTEGER, primary_key=True, nullable=False),
        _text("workspace_id"),
        _text("kind"),
        _integer("at"),
        _text("job_id", optional=True),
        _text("run_id", optional=True),
        _text("data"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    _index("events_by_job", "events", "job_id", "id", where="job_id IS NOT NULL")
    _table(
        "daemons",
        _text("id"),
        _integer("pid"),
        _text("host"),
        _integer("started_at"),
        _integer("seen_at"),
        _integer("stopped_at", optional=True),
        key=("id",),
    )
    _table(
        "cursors",
        _text("name"),
        _text("value"),
        _integer("updated_at"),
        key=("name",),
    )
