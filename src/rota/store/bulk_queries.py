"""The statements of `bulk.py`."""

from __future__ import annotations

from sqlalchemy import text

from rota.ports.bulk import BEGUN
from rota.store import bulk_columns as columns
from rota.store.core import statement


def _from_rows(names: str) -> str:
    """The rows of :rows as a table `j` with these columns, walked first whatever the planner thinks."""
    columns = ", ".join(f"value ->> {place} AS {name}" for place, name in enumerate(names.split()))
    return f"WITH j AS MATERIALIZED (SELECT {columns} FROM json_each(:rows)) "


_HERE = "(SELECT id FROM here)"
BUSY = statement(
    lambda: text(
        "SELECT value FROM json_each(:rows) WHERE EXISTS (SELECT 1 FROM runs WHERE workspace_id = :workspace_id "
        "AND job_id = value AND state IN ('queued', 'running', 'waiting'))"
    )
)
ADVANCE = statement(
    lambda: text(
        f"{_from_rows('job_id trigger_id text expected since next_due')}UPDATE triggers SET since = j.since, next_due = j.next_due FROM j "
        "WHERE triggers.workspace_id = :workspace_id AND triggers.job_id = j.job_id AND triggers.trigger_id = j.trigger_id "
        "AND triggers.text = j.text AND triggers.next_due IS j.expected RETURNING triggers.job_id, triggers.trigger_id"
    )
)


ADD_OCCURRENCES = statement(
    lambda: text(
        f"{columns.OCCURRENCE.table}INSERT INTO occurrences (workspace_id, run_id, job_id, trigger_id, key, due_at, "
        "noticed_at, outcome, reason_code, reason_text, until, count, detail) "
        # `WHERE true`: without it, SQLite takes ON CONFLICT for a join's ON.
        f"SELECT {_HERE}, {columns.OCCURRENCE.listed}, '{{}}' FROM j WHERE true ON CONFLICT DO NOTHING RETURNING run_id"
    )
)
ADD_RUNS = statement(
    lambda: text(
        f"{columns.RUN.table}INSERT INTO runs (workspace_id, id, job_id, state, definition, queued_at, trigger_id, "
        "occurrence_key, due_at, reason_code, reason_text, inputs, concurrency_group, priority, not_before, token, "
        f"cancel_requested, outputs) SELECT {_HERE}, {columns.RUN.listed}, 0, 0, '{{}}' FROM j"
    )
)
TELL_QUEUED = statement(
    lambda: text(
        f"{columns.QUEUED.table}INSERT INTO events (workspace_id, kind, at, job_id, run_id, data) "
        f"SELECT {_HERE}, 'run_queued', queued_at, job_id, run_id, json_object('key', key) FROM j"
    )
)

# Taken up: queued (or waiting with its time come) -> running, by compare-and-set.
CLAIM = statement(
    lambda: text(
        "UPDATE runs SET state = 'running', token = token + 1, owner = :owner, lease_until = :until, "
        "not_before = NULL, started_at = coalesce(started_at, :now), "
        f"reason_code = '{BEGUN}', reason_text = 'at work' "
        "WHERE workspace_id = :workspace_id AND id IN (SELECT value FROM json_each(:rows)) "
        "AND (state = 'queued' OR (state = 'waiting' AND not_before <= :now AND cancel_requested = 0)) "
        "RETURNING id, token"
    )
)


# Of runs that are still ours alone: an attempt may turn out slow in the moment in which its run is taken over.
_STILL_OURS = (
    "FROM j WHERE EXISTS (SELECT 1 FROM runs WHERE runs.workspace_id = :workspace_id AND runs.id = j.run_id "
    "AND runs.token = j.token AND runs.state = 'running') ON CONFLICT DO NOTHING"
)
_BEGUN = "run_id step_id token started_at"
BEGIN_STEPS = statement(
    lambda: text(
        f"{_from_rows(_BEGUN)}INSERT INTO steps (workspace_id, run_id, step_id, position, state, attempts, "
        "started_at, output, outputs) "
        f"SELECT :workspace_id, j.run_id, j.step_id, 0, 'running', 1, j.started_at, '', '{{}}' {_STILL_OURS}"
    )
)
BEGIN_ATTEMPTS = statement(
    lambda: text(
        f"{_from_rows(_BEGUN)}INSERT INTO attempts (workspace_id, run_id, step_id, number, state, started_at, "
        "excerpt, output_bytes, truncated) "
        f"SELECT :workspace_id, j.run_id, j.step_id, 1, 'running', j.started_at, '', 0, 0 {_STILL_OURS}"
    )
)
END_RUNS = statement(
    lambda: text(
        f"{columns.ENDED_RUN.table}UPDATE runs SET state = 'succeeded', lease_until = NULL, finished_at = j.finished_at, "
        "outputs = j.run_outputs, reason_code = 'done', reason_text = 'every step is done' FROM j "
        f"WHERE runs.workspace_id = {_HERE} AND runs.id = j.run_id AND runs.token = j.token "
        "AND runs.state = 'running' RETURNING id"
    )
)
# Written whole, and but once where the attempt was quick: most are over before anybody could have seen them begun.
END_STEPS = statement(
    lambda: text(
        f"{columns.ENDED_STEP.table}INSERT INTO steps (workspace_id, run_id, step_id, position, state, attempts, "
        f"started_at, finished_at, output, outputs) SELECT {_HERE}, run_id, step_id, 0, 'succeeded', 1, started_at, "
        "finished_at, output, outputs FROM j WHERE true ON CONFLICT DO UPDATE SET state = 'succeeded', "
        "started_at = excluded.started_at, finished_at = excluded.finished_at, output = excluded.output, outputs = excluded.outputs"
    )
)
END_ATTEMPTS = statement(
    lambda: text(
        f"{columns.ENDED_ATTEMPT.table}INSERT INTO attempts (workspace_id, run_id, step_id, number, state, started_at, "
        f"finished_at, exit_code, excerpt, log, output_bytes, truncated) SELECT {_HERE}, run_id, step_id, 1, 'succeeded', "
        "started_at, finished_at, exit_code, excerpt, log, output_bytes, truncated FROM j WHERE true "
        "ON CONFLICT DO UPDATE SET state = 'succeeded', started_at = excluded.started_at, finished_at = excluded.finished_at, "
        "exit_code = excluded.exit_code, excerpt = excluded.excerpt, log = excluded.log, output_bytes = excluded.output_bytes, "
        "truncated = excluded.truncated"
    )
)
TELL_SUCCEEDED = statement(
    lambda: text(
        f"{columns.SUCCEEDED.table}INSERT INTO events (workspace_id, kind, at, job_id, run_id, data) "
        f"SELECT {_HERE}, 'run_succeeded', finished_at, job_id, run_id, '{{\"reason\":\"done\"}}' FROM j"
    )
)
