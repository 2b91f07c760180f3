"""Occurrences: how every due moment ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.ledger import Occurrence, Outcome
from rota.model.run import Reason
from rota.store.sql import Row, Session, from_json, to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import ledger_queries as q
else:
    q = queries("ledger_queries")


class Ledger:
    """The verbs of `ports.store.LedgerTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, occurrence: Occurrence) -> bool:
        """Insert; False when (job, trigger, key) is there already, and nothing is written."""
        return (
            self._session.change(
                q.ADD,
                job_id=occurrence.job_id,
                trigger_id=occurrence.trigger_id,
                key=occurrence.key,
                due_at=occurrence.due_at,
                noticed_at=occurrence.noticed_at,
                outcome=occurrence.outcome,
                reason_code=occurrence.reason.code,
                reason_text=occurrence.reason.text,
                run_id=occurrence.run_id,
                until=occurrence.until,
                count=occurrence.count,
                detail=to_json(occurrence.detail),
            )
            == 1
        )

    def settle(self, run_id: str, outcome: Outcome, reason: Reason) -> None:
        """Change how the occurrence of a run ended."""
        self._session.change(q.SETTLE, run=run_id, new_outcome=outcome, code=reason.code, reason=reason.text)

    def amend(self, occurrence: Occurrence) -> bool:
        """Give the row of (job, trigger, key) the outcome, reason and run of this one; False when it ran, or is not there."""
        return (
            self._session.change(
                q.AMEND,
                job_id=occurrence.job_id,
                of_trigger=occurrence.trigger_id,
                of_key=occurrence.key,
                new_outcome=occurrence.outcome,
                code=occurrence.reason.code,
                reason=occurrence.reason.text,
                run=occurrence.run_id,
            )
            == 1
        )

    def of(
        self, job_id: str, *, limit: int = 50, around: Micros | None = None, outcome: Outcome | None = None
    ) -> list[Occurrence]:
        """Latest first; with `around`, those nearest to that instant, latest first."""
        if around is None:
            return [
                _occurrence(row)
                for row in self._session.all(q.LATEST, job_id=job_id, outcome=outcome, limit=limit)
            ]

        def distance(one: Occurrence) -> Micros:
            return max(one.due_at - around, around - (one.until or one.due_at), 0)

        near: dict[tuple[str, str], Occurrence] = {}
        for statement in (q.UP_TO, q.AFTER, q.SPANNING):
            rows = self._session.all(statement, job_id=job_id, outcome=outcome, instant=around, limit=limit)
            near.update(((one.trigger_id, one.key), one) for one in map(_occurrence, rows))
        nearest = sorted(near.values(), key=distance)[:limit]
        return sorted(nearest, key=lambda one: one.due_at, reverse=True)

    def between(self, job_id: str, start: Micros, end: Micros) -> list[Occurrence]:
        """Every row with a moment in [start, end), stretches that reach into it included, oldest first."""
        rows = sorted(self._session.all(q.REACHING_INTO, job_id=job_id, start=start), key=lambda row: row[3])
        rows += self._session.all(q.BETWEEN, job_id=job_id, start=start, end=end)
        return [_occurrence(row) for row in rows]

    def count(self, job_id: str) -> Mapping[str, int]:
        """Number of moments by outcome."""
        return dict(self._session.all(q.COUNT, job_id=job_id))

    def prune(self, job_id: str, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` occurrences that ended before that instant, none of an active run; how many."""
        old = self._session.all(q.TO_FORGET, job_id=job_id, older_than=older_than, limit=limit)
        for trigger_id, key in old:
            self._session.change(q.FORGET, job_id=job_id, trigger_id=trigger_id, key=key)
        return len(old)

    def reaching_back(self, older_than: Micros) -> list[str]:
        """Ids of the jobs that have occurrences due before that instant."""
        return [job_id for (job_id,) in self._session.all(q.REACHING_BACK, older_than=older_than)]


def _occurrence(row: Row) -> Occurrence:
    job_id, trigger_id, key, due_at, noticed_at, outcome, code, text, run_id, until, count, detail = row
    return Occurrence(
        job_id,
        trigger_id,
        key,
        due_at,
        noticed_at,
        Outcome(outcome),
        Reason(code, text),
        run_id,
        until,
        count,
        from_json(detail),
    )
