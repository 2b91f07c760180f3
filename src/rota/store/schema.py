"""The tables. Every key carries the workspace, so that one store can hold many workspaces.

Instants are integer microseconds UTC, JSON is text, a yes or no is 1 or 0. A job's row is never
deleted, so that its history keeps a name. A change here needs a new file in `migrations/versions/`.
"""

from __future__ import annotations

from sqlalchemy import Index, Table

from rota.store import (
    schema_board,  # noqa: F401 # its tables belong to the same metadata
    schema_parts,
)
from rota.store.schema_parts import integer as _integer
from rota.store.schema_parts import partial as _partial
from rota.store.schema_parts import refers as _refers
from rota.store.schema_parts import table as _table
from rota.store.schema_parts import text as _text

metadata = schema_parts.metadata

job_definitions = _table("job_definitions", _text("hash", key=True), _text("body"))

jobs = _table(
    "jobs",
    _text("id", key=True),
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
)

broken_files = _table(
    "broken_files",
    _text("path", key=True),
    _text("error"),
    _integer("line", optional=True),
    _text("hint", optional=True),
    _integer("seen_at"),
)

# `active` repeats what the job's row says (enabled, not paused, not removed), so that what is due
# is one range of one index, however many jobs are asleep.
triggers = _table(
    "triggers",
    _text("job_id", key=True),
    _text("trigger_id", key=True),
    _text("kind"),
    _text("text"),
    _text("timezone"),
    _integer("anchor", optional=True),
    _integer("since"),
    _integer("next_due", optional=True),
    _integer("active"),
    _refers("job_id", "jobs", "id"),
)
_partial(
    "triggers_due",
    triggers.c.workspace_id,
    triggers.c.next_due,
    where=(triggers.c.active == 1) & triggers.c.next_due.is_not(None),
)

occurrences = _table(
    "occurrences",
    _text("job_id", key=True),
    _text("trigger_id", key=True),
    _text("key", key=True),
    _integer("due_at"),
    _integer("noticed_at"),
    _text("outcome"),
    _text("reason_code"),
    _text("reason_text"),
    _text("run_id", optional=True),  # outlives its run, so no foreign key
    _integer("until", optional=True),
    _integer("count"),
    _text("detail"),
    _refers("job_id", "jobs", "id"),
)
Index("occurrences_by_due", occurrences.c.workspace_id, occurrences.c.job_id, occurrences.c.due_at)
_partial(
    "occurrences_of_run",
    occurrences.c.workspace_id,
    occurrences.c.run_id,
    where=occurrences.c.run_id.is_not(None),
)
_partial(
    "occurrences_stretches",
    occurrences.c.workspace_id,
    occurrences.c.job_id,
    occurrences.c.until,
    where=occurrences.c.until.is_not(None),
)

runs = _table(
    "runs",
    _text("id", key=True),
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
)
Index("runs_by_job", runs.c.workspace_id, runs.c.job_id, runs.c.queued_at, runs.c.id)
Index("runs_by_time", runs.c.workspace_id, runs.c.queued_at, runs.c.id)
_partial(
    "runs_queued",
    runs.c.workspace_id,
    runs.c.priority.desc(),
    runs.c.queued_at,
    runs.c.id,
    where=runs.c.state == "queued",
)
_partial("runs_running", runs.c.workspace_id, runs.c.owner, where=runs.c.state == "running")
_partial("runs_waiting", runs.c.workspace_id, runs.c.not_before, where=runs.c.state == "waiting")
_partial(
    "runs_active",
    runs.c.workspace_id,
    runs.c.job_id,
    runs.c.state,  # without it, SQLite thinks that runs_by_job is as good
    where=runs.c.state.in_(["queued", "running", "waiting"]),
)

steps = _table(
    "steps",
    _text("run_id", key=True),
    _text("step_id", key=True),
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
)

attempts = _table(
    "attempts",
    _text("run_id", key=True),
    _text("step_id", key=True),
    _integer("number", key=True),
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
)

# What came in by webhooks. `forgotten`: its content was deleted for its age; that it came is known for longer.
deliveries = _table(
    "deliveries",
    _text("id", key=True),
    _text("hook"),
    _text("job_id"),
    _text("trigger_id"),
    _text("key"),
    _text("digest"),
    _text("client"),
    _text("headers"),
    _text("query"),
    _text("body"),
    _integer("is_binary"),
    _integer("size"),
    _integer("received_at"),
    _integer("forgotten"),
    _text("run_id", optional=True),  # outlives its run, so no foreign key
    _refers("job_id", "jobs", "id"),
)
_d = deliveries.c
Index("deliveries_by_key", _d.workspace_id, _d.job_id, _d.trigger_id, _d.key, unique=True)
Index("deliveries_by_digest", _d.workspace_id, _d.hook, _d.digest)
Index("deliveries_by_hook", _d.workspace_id, _d.hook, _d.received_at)
Index("deliveries_by_time", _d.workspace_id, _d.received_at)
_partial("deliveries_of_run", _d.workspace_id, _d.run_id, where=_d.run_id.is_not(None))
_partial("deliveries_kept", _d.workspace_id, _d.received_at, where=_d.forgotten == 0)

approvals = _table(
    "approvals",
    _text("run_id", key=True),
    _text("step_id", key=True),
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
    _refers("run_id", "runs", "id", cascade=True),
)
_partial("approvals_open", approvals.c.workspace_id, approvals.c.asked_at, where=approvals.c.state == "open")
_partial(
    "approvals_expiring", approvals.c.workspace_id, approvals.c.expires_at, where=approvals.c.state == "open"
)

outbox = _table(
    "outbox",
    _text("key", key=True),
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
)
_partial("outbox_pending", outbox.c.workspace_id, outbox.c.not_before, where=outbox.c.state == "pending")
_partial("outbox_sending", outbox.c.workspace_id, outbox.c.claimed_at, where=outbox.c.state == "sending")
Index("outbox_by_time", outbox.c.workspace_id, outbox.c.created_at)
_partial(
    "outbox_by_run",
    outbox.c.workspace_id,
    outbox.c.run_id,
    outbox.c.created_at,
    where=outbox.c.run_id.is_not(None),
)

# One growing number for the whole store: a reader that has seen N asks for what is after N. An id
# is never given twice, even after the newest events were pruned.
events = Table(
    "events",
    metadata,
    _integer("id", key=True),
    _text("workspace_id"),
    _text("kind"),
    _integer("at"),
    _text("job_id", optional=True),
    _text("run_id", optional=True),
    _text("data"),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)
_partial(
    "events_by_job",
    events.c.workspace_id,
    events.c.job_id,
    events.c.id,
    where=events.c.job_id.is_not(None),
)

daemons = _table(
    "daemons",
    _text("id", key=True),
    _integer("pid"),
    _text("host"),
    _integer("started_at"),
    _integer("seen_at"),
    _integer("stopped_at", optional=True),
)

cursors = _table("cursors", _text("name", key=True), _text("value"), _integer("updated_at"))

# What triggers that look (files, poll) know: a row a trigger, and one for each thing that it has seen.
looks = _table(
    "looks",
    _text("job_id", key=True),
    _text("trigger_id", key=True),
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
    _refers("job_id", "jobs", "id"),
)

seen = _table(
    "seen",
    _text("job_id", key=True),
    _text("trigger_id", key=True),
    _text("item", key=True),
    _text("version"),
    _integer("seen_at"),
    _refers("job_id", "jobs", "id"),
)
