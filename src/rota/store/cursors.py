"""Where a source was left."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from rota.model.instants import Micros
from rota.store.schema import cursors
from rota.store.sql import Session, Statement, here, param, upsert

_GET = Statement(lambda: select(cursors.c.value).where(here(cursors), cursors.c.name == param("name")))
_PUT = Statement(lambda: upsert(cursors))


class Cursors:
    """The verbs of `ports.store.CursorsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, name: str) -> Any:
        """The JSON value; None when there is none."""
        text = self._session.value(_GET, name=name)
        return None if text is None else json.loads(text)

    def put(self, name: str, value: Any, now: Micros) -> None:
        """Insert or replace."""
        self._session.change(_PUT, name=name, value=json.dumps(value), updated_at=now)
