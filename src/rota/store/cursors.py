"""Where a source was left."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from rota.model.instants import Micros
from rota.store.sql import Session
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import cursor_queries as q
else:
    q = queries("cursor_queries")


class Cursors:
    """The verbs of `ports.store.CursorsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> Any:
        """The JSON value; None when there is none."""
        text = self._session.value(q.GET, name=name)
        return None if text is None else json.loads(text)

    def get_many(self, names: Collection[str]) -> dict[str, Any]:
        """Those that there are, by name."""
        rows = self._session.all(q.GET_MANY, names=json.dumps(list(names)))
        return {name: json.loads(text) for name, text in rows}

    def put(self, name: str, value: Any, now: Micros) -> None:
        """Insert or replace."""
        self._session.change(q.PUT, name=name, value=json.dumps(value), updated_at=now)
