"""Time triggers and when each is due."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from rota.model.instants import Micros
from rota.model.ledger import TriggerRecord
from rota.store.jobs import IS_ACTIVE
from rota.store.schema import triggers
from rota.store.sql import Session, Statement, constant, here, param, upsert

_OF_JOB = triggers.c.job_id == param("job_id")
_OF_ID = triggers.c.trigger_id == param("trigger_id")
_ACTIVE = triggers.c.active == constant(1)

_SELECT = select(
    triggers.c.job_id,
    triggers.c.trigger_id,
    triggers.c.kind,
    triggers.c.text,
    triggers.c.timezone,
    triggers.c.anchor,
    triggers.c.since,
    triggers.c.next_due,
).where(here(triggers))
_OF = Statement(lambda: _SELECT.where(_OF_JOB).order_by(triggers.c.trigger_id))
_ALL = Statement(lambda: _SELECT.order_by(triggers.c.job_id, triggers.c.trigger_id))
DUE = Statement(
    lambda: (
        _SELECT.where(_ACTIVE, triggers.c.next_due <= param("until"))
        .order_by(triggers.c.next_due)
        .limit(param("limit"))
    )
)
NEXT_DUE = Statement(
    lambda: (
        select(triggers.c.next_due)
        .where(here(triggers), _ACTIVE, triggers.c.next_due.is_not(None))
        .order_by(triggers.c.next_due)
        .limit(constant(1))
    )
)
_PUT = Statement(lambda: upsert(triggers, active=IS_ACTIVE))
_DELETE = Statement(lambda: delete(triggers).where(here(triggers), _OF_JOB, _OF_ID))
_ADVANCE = Statement(
    lambda: (
        update(triggers)
        .where(
            here(triggers),
            _OF_JOB,
            _OF_ID,
            triggers.c.text == param("text"),
            triggers.c.next_due.is_not_distinct_from(param("expected")),
        )
        .values(since=param("new_since"), next_due=param("new_due"))
    )
)


class Triggers:
    """The verbs of `ports.store.TriggersTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, job_id: str) -> list[TriggerRecord]:
        """The triggers of a job, by id."""
        return [TriggerRecord(*row) for row in self._session.all(_OF, job_id=job_id)]

    def all(self) -> list[TriggerRecord]:
        """Every trigger, by (job, trigger)."""
        return [TriggerRecord(*row) for row in self._session.all(_ALL)]

    def put(self, record: TriggerRecord) -> None:
        """Insert or replace; a StoreError when the job is not there."""
        self._session.change(
            _PUT,
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
        self._session.change(_DELETE, job_id=job_id, trigger_id=trigger_id)

    def due(self, until: Micros, limit: int) -> list[TriggerRecord]:
        """Those of active jobs with `next_due <= until`, soonest first."""
        return [TriggerRecord(*row) for row in self._session.all(DUE, until=until, limit=limit)]

    def next_due(self) -> Micros | None:
        """The soonest `next_due` of the same jobs."""
        instant: Micros | None = self._session.value(NEXT_DUE)
        return instant

    def advance(self, record: TriggerRecord, *, since: Micros, next_due: Micros | None) -> bool:
        """Move on, unless another process changed `next_due` or `text` in between."""
        return (
            self._session.change(
                _ADVANCE,
                job_id=record.job_id,
                trigger_id=record.trigger_id,
                text=record.text,
                expected=record.next_due,
                new_since=since,
                new_due=next_due,
            )
            == 1
        )
