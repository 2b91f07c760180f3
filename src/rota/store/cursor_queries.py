"""The statements of `cursors.py`."""

from __future__ import annotations

from sqlalchemy import func, select

from rota.store.core import here, param, statement, upsert
from rota.store.schema import cursors

GET = statement(lambda: select(cursors.c.value).where(here(cursors), cursors.c.name == param("name")))
_SOME = func.json_each(param("names")).table_valued("value", name="some")
GET_MANY = statement(
    lambda: select(cursors.c.name, cursors.c.value).where(
        here(cursors), cursors.c.name.in_(select(_SOME.c.value))
    )
)
PUT = statement(lambda: upsert(cursors))
