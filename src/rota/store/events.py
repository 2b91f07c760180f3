"""The append-only feed."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select

from rota.model.instants import Micros
from rota.model.ledger import Event
from rota.store.schema import events
from rota.store.sql import Row, Session, Statement, from_json, here, param, to_json

_e = events.c
_APPEND = Statement(
    lambda: (
        insert(events)
        .values({column.name: bindparam(column.name) for column in _e if column is not _e.id})
        .returning(_e.id)
    )
)
# By the primary key: what is after an id is the end of the table.
_AFTER = (
    select(_e.kind, _e.at, _e.job_id, _e.run_id, _e.data, _e.id)
    .where(here(events), _e.id > param("after"))
    .order_by(_e.id)
    .limit(param("limit"))
)
AFTER = Statement(lambda: _AFTER)
AFTER_OF_JOB = Statement(lambda: _AFTER.where(_e.job_id == param("job_id")))
_PRUNE = Statement(
    lambda: delete(events).where(
        here(events),
        _e.at < param("older_than"),
        _e.id.in_(select(_e.id).where(here(events)).order_by(_e.id).limit(param("limit"))),
    )
)


class Events:
    """The verbs of `ports.store.EventsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, event: Event) -> int:
        """Its id, which grows."""
        return int(
            self._session.value(
                _APPEND,
                kind=event.kind,
                at=event.at,
                job_id=event.job_id,
                run_id=event.run_id,
                data=to_json(event.data),
            )
        )

    def after(self, event_id: int, limit: int = 100, *, job_id: str | None = None) -> list[Event]:
        """Those after an id, oldest first."""
        if job_id is None:
            rows = self._session.all(AFTER, after=event_id, limit=limit)
        else:
            rows = self._session.all(AFTER_OF_JOB, after=event_id, job_id=job_id, limit=limit)
        return [_event(row) for row in rows]

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` of the first events, as far as they are older than that; how many."""
        return self._session.change(_PRUNE, older_than=older_than, limit=limit)


def _event(row: Row) -> Event:
    kind, at, job_id, run_id, data, id_ = row
    return Event(kind, at, job_id, run_id, from_json(data), id_)
