"""The tables. Every key carries the workspace, so that one store can hold many workspaces.

Instants are integer microseconds UTC, JSON is text, a yes or no is 1 or 0. A job's row is never
deleted, so that its history keeps a name. A change here or in `schema_agents.py` needs a new
file in `migrations/versions/`.
"""

from __future__ import annotations

from sqlalchemy import Index, Table

from rota.store.columns import integer, metadata, partial, refers, table, text

job_definitions = table("job_definitions", text("hash", key=True), text("body"))

jobs = table(
    "jobs",
    text("id", key=True),
    text("name"),
    text("hash"),
    text("origin"),
    text("path", optional=True),
    text("description"),
    text("schedule"),
    text("timezone"),
    integer("enabled"),
    integer("paused_at", optional=True),
    text("paused_reason", optional=True),
    text("error", optional=True),
    text("warnings"),
    integer("created_at"),
    integer("updated_at"),
    integer("removed_at", optional=True),
    integer("created_by", optional=True),
    integer("changed_by", optional=True),
    integer("removed_by", optional=True),
    refers("hash", "job_definitions", "hash"),
)

broken_files = table(
    "broken_files",
    text("path", key=True),
    text("error"),
    integer("line", optional=True),
    text("hint", optional=True),
    integer("seen_at"),
)

# `active` repeats what the job's row says (enabled, not paused, not removed), so that what is due
# is one range of one index, however many jobs are asleep.
triggers = table(
    "triggers",
    text("job_id", key=True),
    text("trigger_id", key=True),
    text("kind"),
    text("text"),
    text("timezone"),
    integer("anchor", optional=True),
    integer("since"),
    integer("next_due", optional=True),
    integer("active"),
    refers("job_id", "jobs", "id"),
)
partial(
    "triggers_due",
    triggers.c.workspace_id,
    triggers.c.next_due,
    where=(triggers.c.active == 1) & triggers.c.next_due.is_not(None),
)

occurrences = table(
    "occurrences",
    text("job_id", key=True),
    text("trigger_id", key=True),
    text("key", key=True),
    integer("due_at"),
    integer("noticed_at"),
    text("outcome"),
    text("reason_code"),
    text("reason_text"),
    text("run_id", optional=True),  # outlives its run, so no foreign key
    integer("until", optional=True),
    integer("count"),
    text("detail"),
    refers("job_id", "jobs", "id"),
)
Index("occurrences_by_due", occurrences.c.workspace_id, occurrences.c.job_id, occurrences.c.due_at)
partial(
    "occurrences_of_run",
    occurrences.c.workspace_id,
    occurrences.c.run_id,
    where=occurrences.c.run_id.is_not(None),
)
partial(
    "occurrences_stretches",
    occurrences.c.workspace_id,
    occurrences.c.job_id,
    occurrences.c.until,
    where=occurrences.c.until.is_not(None),
)

runs = table(
    "runs",
    text("id", key=True),
    text("job_id"),
    text("state"),
    text("definition"),
    integer("queued_at"),
    text("trigger_id"),
    text("occurrence_key", optional=True),
    integer("due_at", optional=True),
    text("reason_code"),
    text("reason_text"),
    text("inputs"),
    text("concurrency_group", optional=True),
    integer("priority"),
    integer("token"),
    text("owner", optional=True),
    integer("lease_until", optional=True),
    integer("not_before", optional=True),
    integer("started_at", optional=True),
    integer("finished_at", optional=True),
    integer("cancel_requested"),
    text("outputs"),
    refers("job_id", "jobs", "id"),
    refers("definition", "job_definitions", "hash"),
)
Index("runs_by_job", runs.c.workspace_id, runs.c.job_id, runs.c.queued_at, runs.c.id)
Index("runs_by_time", runs.c.workspace_id, runs.c.queued_at, runs.c.id)
partial(
    "runs_queued",
    runs.c.workspace_id,
    runs.c.priority.desc(),
    runs.c.queued_at,
    runs.c.id,
    where=runs.c.state == "queued",
)
partial("runs_running", runs.c.workspace_id, runs.c.owner, where=runs.c.state == "running")
partial("runs_waiting", runs.c.workspace_id, runs.c.not_before, where=runs.c.state == "waiting")
partial(
    "runs_active",
    runs.c.workspace_id,
    runs.c.job_id,
    runs.c.state,  # without it, SQLite thinks that runs_by_job is as good
    where=runs.c.state.in_(["queued", "running", "waiting"]),
)

steps = table(
    "steps",
    text("run_id", key=True),
    text("step_id", key=True),
    integer("position"),
    text("state"),
    integer("attempts"),
    integer("started_at", optional=True),
    integer("finished_at", optional=True),
    integer("retry_at", optional=True),
    text("reason_code", optional=True),
    text("reason_text", optional=True),
    text("output"),
    text("outputs"),
    refers("run_id", "runs", "id", cascade=True),
)

attempts = table(
    "attempts",
    text("run_id", key=True),
    text("step_id", key=True),
    integer("number", key=True),
    text("state"),
    integer("started_at"),
    integer("finished_at", optional=True),
    integer("exit_code", optional=True),
    text("reason_code", optional=True),
    text("reason_text", optional=True),
    text("excerpt"),
    text("log", optional=True),
    integer("output_bytes"),
    integer("truncated"),
    refers("run_id", "runs", "id", cascade=True),
)

# What came in by webhooks. `forgotten`: its content was deleted for its age; that it came is known for longer.
deliveries = table(
    "deliveries",
    text("id", key=True),
    text("hook"),
    text("job_id"),
    text("trigger_id"),
    text("key"),
    text("digest"),
    text("client"),
    text("headers"),
    text("query"),
    text("body"),
    integer("is_binary"),
    integer("size"),
    integer("received_at"),
    integer("forgotten"),
    text("run_id", optional=True),  # outlives its run, so no foreign key
    refers("job_id", "jobs", "id"),
)
_d = deliveries.c
Index("deliveries_by_key", _d.workspace_id, _d.job_id, _d.trigger_id, _d.key, unique=True)
Index("deliveries_by_digest", _d.workspace_id, _d.hook, _d.digest)
Index("deliveries_by_hook", _d.workspace_id, _d.hook, _d.received_at)
Index("deliveries_by_time", _d.workspace_id, _d.received_at)
partial("deliveries_of_run", _d.workspace_id, _d.run_id, where=_d.run_id.is_not(None))
partial("deliveries_kept", _d.workspace_id, _d.received_at, where=_d.forgotten == 0)

approvals = table(
    "approvals",
    text("run_id", key=True),
    text("step_id", key=True),
    text("kind"),
    text("question"),
    integer("asked_at"),
    text("job_id"),
    text("choices"),
    text("state"),
    text("answer", optional=True),
    integer("answered_at", optional=True),
    text("answered_by", optional=True),
    text("preview", optional=True),
    integer("expires_at", optional=True),
    text("fallback", optional=True),
    text("on_deny", optional=True),
    text("reason", optional=True),
    refers("run_id", "runs", "id", cascade=True),
)
partial("approvals_open", approvals.c.workspace_id, approvals.c.asked_at, where=approvals.c.state == "open")
partial(
    "approvals_expiring", approvals.c.workspace_id, approvals.c.expires_at, where=approvals.c.state == "open"
)

outbox = table(
    "outbox",
    text("key", key=True),
    text("channel"),
    text("body"),
    integer("created_at"),
    text("title"),
    text("config"),
    text("job_id", optional=True),
    text("run_id", optional=True),
    text("state"),
    integer("attempts"),
    integer("not_before"),
    integer("claimed_at", optional=True),
    integer("sent_at", optional=True),
    text("error", optional=True),
)
partial("outbox_pending", outbox.c.workspace_id, outbox.c.not_before, where=outbox.c.state == "pending")
partial("outbox_sending", outbox.c.workspace_id, outbox.c.claimed_at, where=outbox.c.state == "sending")
Index("outbox_by_time", outbox.c.workspace_id, outbox.c.created_at)
partial(
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
    integer("id", key=True),
    text("workspace_id"),
    text("kind"),
    integer("at"),
    text("job_id", optional=True),
    text("run_id", optional=True),
    text("data"),
    sqlite_strict=True,
    sqlite_autoincrement=True,
)
partial(
    "events_by_job",
    events.c.workspace_id,
    events.c.job_id,
    events.c.id,
    where=events.c.job_id.is_not(None),
)

daemons = table(
    "daemons",
    text("id", key=True),
    integer("pid"),
    text("host"),
    integer("started_at"),
    integer("seen_at"),
    integer("stopped_at", optional=True),
)

cursors = table("cursors", text("name", key=True), text("value"), integer("updated_at"))

# What triggers that look (files, poll) know: a row a trigger, and one for each thing that it has seen.
looks = table(
    "looks",
    text("job_id", key=True),
    text("trigger_id", key=True),
    text("kind"),
    text("text"),
    text("fingerprint"),
    integer("partial"),
    integer("looked_at", optional=True),
    integer("news_at", optional=True),
    text("found"),
    integer("failures"),
    integer("failing_since", optional=True),
    text("error", optional=True),
    integer("told"),
    integer("not_before", optional=True),
    refers("job_id", "jobs", "id"),
)

seen = table(
    "seen",
    text("job_id", key=True),
    text("trigger_id", key=True),
    text("item", key=True),
    text("version"),
    integer("seen_at"),
    refers("job_id", "jobs", "id"),
)
