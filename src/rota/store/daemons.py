"""The lives of the daemons of this workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.ledger import DaemonRecord
from rota.store.sql import Session
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import daemon_queries as q
else:
    q = queries("daemon_queries")


class Daemons:
    """The verbs of `ports.store.DaemonsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, record: DaemonRecord) -> None:
        """Insert or replace by id."""
        self._session.change(
            q.PUT,
            id=record.id,
            pid=record.pid,
            host=record.host,
            started_at=record.started_at,
            seen_at=record.seen_at,
            stopped_at=record.stopped_at,
        )

    def seen(self, daemon_id: str, now: Micros) -> None:
        """It is alive."""
        self._session.change(q.SEEN, daemon_id=daemon_id, now=now)

    def recent(self, limit: int = 20) -> list[DaemonRecord]:
        """Latest start first."""
        return [DaemonRecord(*row) for row in self._session.all(q.RECENT, limit=limit)]
