"""The hot verbs over many runs: one statement a table, whatever the number of rows.

The rows travel as one JSON text, so SQLite walks them without Python: the writer's thread holds the
interpreter's lock for a few microseconds a batch rather than for each row, which otherwise costs a
busy daemon far more than the statement itself (45 µs a row against 5, measured with a busy main thread).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.ledger import Event, Occurrence
from rota.model.run import Run
from rota.ports.bulk import Advance, PlainBegin, PlainEnd
from rota.store.sql import Session, to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import bulk_queries as q
else:
    q = queries("bulk_queries")

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Bulk:
    """The verbs of `ports.store.BulkTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def busy(self, job_ids: Sequence[str]) -> set[str]:
        """Those of these jobs that have a queued, running or waiting run."""
        return (
            {job_id for (job_id,) in self._session.all(q.BUSY, rows=_encode(job_ids))} if job_ids else set()
        )

    def advance(self, moves: Sequence[Advance]) -> set[tuple[str, str]]:
        """Move triggers on, unless another process changed `next_due` or `text` of one in between; those that moved."""
        rows = [
            (
                move.trigger.job_id,
                move.trigger.trigger_id,
                move.trigger.text,
                move.trigger.next_due,
                *move[1:],
            )
            for move in moves
        ]
        return set(self._session.all(q.ADVANCE, rows=_encode(rows)))

    def queue(self, items: Sequence[tuple[Occurrence, Run]]) -> list[Run]:
        """Write occurrences and their runs; the runs whose occurrence was not in the ledger yet."""
        rows = _encode([_occurrence(occurrence) for occurrence, _ in items])
        new = {run_id for (run_id,) in self._session.all(q.ADD_OCCURRENCES, rows=rows)}
        runs = [run for _, run in items if run.id in new]
        if runs:
            inputs = {
                id(run.inputs): run.inputs for run in runs
            }  # those of many runs may be one and the same
            texts = {identity: to_json(given) for identity, given in inputs.items()}
            rows = _encode([_run(run, texts[id(run.inputs)]) for run in runs])
            self._session.change(q.ADD_RUNS, rows=rows)
            self.append([
                Event("run_queued", run.queued_at, run.job_id, run.id, {"key": run.occurrence_key}) for run in runs
            ])  # fmt: skip
        return runs

    def claim(self, run_ids: Sequence[str], owner: str, now: Micros, lease_until: Micros) -> dict[str, int]:
        """Queued, or waiting with their time come -> running, as `begun`; tokens of those that were there to claim."""
        return dict(
            self._session.all(q.CLAIM, rows=_encode(run_ids), owner=owner, now=now, until=lease_until)
        )

    def begin(self, steps: Sequence[PlainBegin]) -> None:
        """Write attempts that have begun, of those runs that are still running under their token."""
        rows = _encode(steps)
        self._session.change(q.BEGIN_STEPS, rows=rows)
        self._session.change(q.BEGIN_ATTEMPTS, rows=rows)

    def succeed(self, ends: Sequence[PlainEnd]) -> set[str]:
        """End runs with their step and attempt, begun or not; ids of those that were still running under their token."""
        rows = _encode(ends)
        ended = {run_id for (run_id,) in self._session.all(q.END_RUNS, rows=rows)}
        ours = [end for end in ends if end.run_id in ended]
        if ours:
            if len(ours) < len(ends):
                rows = _encode(ours)
            self._session.change(q.END_STEPS, rows=rows)
            self._session.change(q.END_ATTEMPTS, rows=rows)
            self.append([
                Event("run_succeeded", end.finished_at, end.job_id, end.run_id, {"reason": "done"}) for end in ours
            ])  # fmt: skip
        return ended

    def append(self, events: Sequence[Event]) -> None:
        """Add to the feed."""
        # An object within the rows: SQLite gives back its text, and nobody has to make that one by one.
        rows = [(event.kind, event.at, event.job_id, event.run_id, dict(event.data)) for event in events]
        self._session.change(q.ADD_EVENTS, rows=_encode(rows))


def _occurrence(one: Occurrence) -> tuple[object, ...]:
    return (
        one.job_id, one.trigger_id, one.key, one.due_at, one.noticed_at, one.outcome, one.reason.code,
        one.reason.text, one.run_id, one.until, one.count, to_json(one.detail),
    )  # fmt: skip


def _run(run: Run, inputs: str) -> tuple[object, ...]:
    return (
        run.id, run.job_id, run.state, run.definition, run.queued_at, run.trigger_id, run.occurrence_key,
        run.due_at, run.reason.code, run.reason.text, inputs, run.group, run.priority, run.not_before,
    )  # fmt: skip
