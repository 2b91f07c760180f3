"""Who works on the answer to a question of the inbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.model.message import Take
from rota.store.sql import Session
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import take_queries as q
else:
    q = queries("take_queries")


class Takes:
    """The verbs of `ports.cards.TakesTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def put(self, take: Take) -> None:
        """Insert or replace by (run, step)."""
        self._session.change(
            q.PUT,
            run_id=take.run_id,
            step_id=take.step_id,
            asked_at=take.asked_at,
            taken_by=take.by,
            taken_at=take.taken_at,
            until=take.until,
        )

    def of(self, run_id: str, step_id: str) -> Take | None:
        """The latest one, over or not."""
        row = self._session.one(q.OF, run_id=run_id, step_id=step_id)
        return None if row is None else Take(*row)

    def all(self) -> list[Take]:
        """Those of every run."""
        return [Take(*row) for row in self._session.all(q.ALL)]

    def drop(self, run_id: str, step_id: str) -> None:
        """Forget it."""
        self._session.change(q.DROP, run_id=run_id, step_id=step_id)
