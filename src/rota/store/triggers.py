"""Time triggers and when each is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.ledger import TriggerRecord
from rota.store.sql import Session
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import trigger_queries as q
else:
    q = queries("trigger_queries")


class Triggers:
    """The verbs of `ports.store.TriggersTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, job_id: str) -> list[TriggerRecord]:
        """The triggers of a job, by id."""
        return [TriggerRecord(*row) for row in self._session.all(q.OF, job_id=job_id)]

    def all(self) -> list[TriggerRecord]:
        """Every trigger, by (job, trigger)."""
        return [TriggerRecord(*row) for row in self._session.all(q.ALL)]

    def put(self, record: TriggerRecord) -> None:
        """Insert or replace; a StoreError when the job is not there."""
        self._session.change(
            q.PUT,
            job_id=record.job_id,
            trigger_id=record.trigger_id,
            kind=record.kind,
            text=record.text,
            timezone=record.timezone,
            anchor=record.anchor,
            since=record.since,
            next_due=record.next_due,
        )

    def delete(self, job_id: str, trigger_id: str) -> None:
        """Forget it; its occurrences stay."""
        self._session.change(q.DELETE, job_id=job_id, trigger_id=trigger_id)

    def due(self, until: Micros, limit: int) -> list[TriggerRecord]:
        """Those of active jobs with `next_due <= until`, soonest first."""
        return [TriggerRecord(*row) for row in self._session.all(q.DUE, until=until, limit=limit)]

    def next_due(self) -> Micros | None:
        """The soonest `next_due` of the same jobs."""
        instant: Micros | None = self._session.value(q.NEXT_DUE)
        return instant

    def ahead_of(self, instant: Micros) -> list[TriggerRecord]:
        """Those whose due moments are in the ledger beyond that instant."""
        return [TriggerRecord(*row) for row in self._session.all(q.AHEAD_OF, instant=instant)]

    def advance(self, record: TriggerRecord, *, since: Micros, next_due: Micros | None) -> bool:
        """Move on, unless another process changed `next_due` or `text` in between."""
        return (
            self._session.change(
                q.ADVANCE,
                job_id=record.job_id,
                trigger_id=record.trigger_id,
                text=record.text,
                expected=record.next_due,
                new_since=since,
                new_due=next_due,
            )
            == 1
        )
