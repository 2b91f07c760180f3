"""The append-only feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.ledger import Event
from rota.store.sql import Row, Session, from_json, to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import event_queries as q
else:
    q = queries("event_queries")


class Events:
    """The verbs of `ports.store.EventsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, event: Event) -> int:
        """Its id, which grows."""
        return int(
            self._session.value(
                q.APPEND,
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
            rows = self._session.all(q.AFTER, after=event_id, limit=limit)
        else:
            rows = self._session.all(q.AFTER_OF_JOB, after=event_id, job_id=job_id, limit=limit)
        return [_event(row) for row in rows]

    def latest_at(self) -> Micros | None:
        """When the newest one was written."""
        instant: Micros | None = self._session.value(q.LATEST_AT, limit=1)
        return instant

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` of the first events, as far as they are older than that; how many."""
        return self._session.change(q.PRUNE, older_than=older_than, limit=limit)


def _event(row: Row) -> Event:
    kind, at, job_id, run_id, data, id_ = row
    return Event(kind, at, job_id, run_id, from_json(data), id_)
