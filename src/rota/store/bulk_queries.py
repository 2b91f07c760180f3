"""The statements of `bulk.py`."""

from __future__ import annotations

from sqlalchemy import text

from rota.ports.bulk import PlainEnd
from rota.store.core import statement


def _from_rows(names: str) -> str:
    """The rows of :rows as a table `j` with these columns, walked first whatever the planner thinks."""
    columns = ", ".join(f"value ->> {place} AS {name}" for place, name in enumerate(names.split()))
    return f"WITH j AS MATERIALIZED (SELECT {columns} FROM json_each(:rows)) "


def _insert(table: str, names: str, **constants: str) -> str:
    """INSERT of :rows, whose values are the columns `names`; `constants` are SQL."""
    columns = ["workspace_id", *names.split(), *constants]
    values = [":workspace_id", *(f"j.{name}" for name in names.split()), *constants.values()]
    # `WHERE true`: without it, SQLite takes ON CONFLICT for a join's ON.
    return f"{_from_rows(names)}INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM j WHERE true"


BUSY = statement(
    lambda: text(
        "SELECT value FROM json_each(:rows) WHERE EXISTS (SELECT 1 FROM runs WHERE workspace_id = :workspace_id "
        "AND job_id = value AND state IN ('queued', 'running', 'waiting'))"
    )
)
_OCCURRENCE = (
    "job_id trigger_id key due_at noticed_at outcome reason_code reason_text run_id until count detail"
)
_RUN = (
    "id job_id state definition queued_at trigger_id occurrence_key due_at reason_code reason_text inputs "
    "concurrency_group priority not_before"
)
ADD_OCCURRENCES = statement(
    lambda: text(_insert("occurrences", _OCCURRENCE) + " ON CONFLICT DO NOTHING RETURNING run_id")
)
ADD_RUNS = statement(lambda: text(_insert("runs", _RUN, token="0", cancel_requested="0", outputs="'{}'")))  # noqa: S106 # the fencing token's start
ADD_EVENTS = statement(lambda: text(_insert("events", "kind at job_id run_id data")))

# Taken up: queued (or waiting with its time come) -> running, by compare-and-set.
CLAIM = statement(
    lambda: text(
        "UPDATE runs SET state = 'running', token = token + 1, owner = :owner, lease_until = :until, "
        "not_before = NULL, started_at = coalesce(started_at, :now), reason_code = 'claimed', reason_text = 'at work' "
        "WHERE workspace_id = :workspace_id AND id IN (SELECT value ->> 0 FROM json_each(:rows)) "
        "AND (state = 'queued' OR (state = 'waiting' AND not_before <= :now AND cancel_requested = 0)) "
        "RETURNING id, token"
    )
)
BEGIN_STEPS = statement(
    lambda: text(
        _insert("steps", "run_id step_id", position="0", state="'running'", attempts="1", started_at=":now",
                output="''", outputs="'{}'")
    )
)  # fmt: skip
BEGIN_ATTEMPTS = statement(
    lambda: text(
        _insert("attempts", "run_id step_id", number="1", state="'running'", started_at=":now", excerpt="''",
                output_bytes="0", truncated="0")
    )
)  # fmt: skip


def _from_ends(names: str) -> str:
    """The same of rows that are `PlainEnd`s, with those fields that are needed: each costs time."""
    places = {name: place for place, name in enumerate(PlainEnd._fields)}
    columns = ", ".join(f"value ->> {places[name]} AS {name}" for name in names.split())
    return f"WITH j AS MATERIALIZED (SELECT {columns} FROM json_each(:rows)) "


END_RUNS = statement(
    lambda: text(
        f"{_from_ends('run_id token finished_at run_outputs')}UPDATE runs SET state = 'succeeded', lease_until = NULL, finished_at = j.finished_at, "
        "outputs = j.run_outputs, reason_code = 'done', reason_text = 'every step is done' FROM j "
        "WHERE runs.workspace_id = :workspace_id AND runs.id = j.run_id AND runs.token = j.token "
        "AND runs.state = 'running' RETURNING id"
    )
)
END_STEPS = statement(
    lambda: text(
        f"{_from_ends('run_id step_id started_at finished_at output outputs')}UPDATE steps SET state = 'succeeded', started_at = j.started_at, "
        "finished_at = j.finished_at, output = j.output, outputs = j.outputs FROM j "
        "WHERE steps.workspace_id = :workspace_id AND steps.run_id = j.run_id AND steps.step_id = j.step_id"
    )
)
END_ATTEMPTS = statement(
    lambda: text(
        f"{_from_ends('run_id step_id started_at finished_at exit_code excerpt log output_bytes truncated')}UPDATE attempts SET state = 'succeeded', started_at = j.started_at, "
        "finished_at = j.finished_at, exit_code = j.exit_code, excerpt = j.excerpt, log = j.log, "
        "output_bytes = j.output_bytes, truncated = j.truncated FROM j "
        "WHERE attempts.workspace_id = :workspace_id AND attempts.run_id = j.run_id "
        "AND attempts.step_id = j.step_id AND attempts.number = 1"
    )
)
