"""The hot verbs over many runs: one statement a table, whatever the number of runs.

So SQLite walks the rows without Python: the writer's thread holds the interpreter's lock for a few microseconds a
batch rather than for each row, which otherwise costs a busy daemon far more than the statement itself (45 µs a row
against 5, measured with a busy main thread). How the rows get there: see `bulk_columns`; ids alone, and triggers
that move on, as JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.ports.bulk import Advance, NewRun, PlainBegin, PlainEnd
from rota.store import bulk_columns as columns
from rota.store.sql import Session
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

    def queue(self, new: Sequence[NewRun]) -> set[str]:
        """Write occurrences and their runs; ids of the runs whose occurrence was not in the ledger yet."""
        added = {run_id for (run_id,) in self._session.many(q.ADD_OCCURRENCES, columns.OCCURRENCE, new)}
        if added:
            runs = new if len(added) == len(new) else [row for row in new if row.run_id in added]
            self._session.many(q.ADD_RUNS, columns.RUN, runs)
            self._session.many(q.TELL_QUEUED, columns.QUEUED, runs)
        return added

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
        ended = {run_id for (run_id,) in self._session.many(q.END_RUNS, columns.ENDED_RUN, ends)}
        ours = ends if len(ended) == len(ends) else [end for end in ends if end.run_id in ended]
        if ours:
            self._session.many(q.END_STEPS, columns.ENDED_STEP, ours)
            self._session.many(q.END_ATTEMPTS, columns.ENDED_ATTEMPT, ours)
            self._session.many(q.TELL_SUCCEEDED, columns.SUCCEEDED, ours)
        return ended
