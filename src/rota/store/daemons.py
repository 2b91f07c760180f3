"""The lives of the daemons of this workspace."""

from __future__ import annotations

from sqlalchemy import select, update

from rota.model.instants import Micros
from rota.model.ledger import DaemonRecord
from rota.store.schema import daemons
from rota.store.sql import Session, Statement, columns, here, param, upsert

_d = daemons.c
_PUT = Statement(lambda: upsert(daemons))
_SEEN = Statement(
    lambda: update(daemons).where(here(daemons), _d.id == param("daemon_id")).values(seen_at=param("now"))
)
_RECENT = Statement(
    lambda: (
        select(*columns(daemons))
        .where(here(daemons))
        .order_by(_d.started_at.desc(), _d.id.desc())
        .limit(param("limit"))
    )
)


class Daemons:
    """The verbs of `ports.store.DaemonsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, record: DaemonRecord) -> None:
        """Insert or replace by id."""
        self._session.change(
            _PUT,
            id=record.id,
            pid=record.pid,
            host=record.host,
            started_at=record.started_at,
            seen_at=record.seen_at,
            stopped_at=record.stopped_at,
        )

    def seen(self, daemon_id: str, now: Micros) -> None:
        """It is alive."""
        self._session.change(_SEEN, daemon_id=daemon_id, now=now)

    def recent(self, limit: int = 20) -> list[DaemonRecord]:
        """Latest start first."""
        return [DaemonRecord(*row) for row in self._session.all(_RECENT, limit=limit)]
