"""The statements of `sessions.py`."""

from __future__ import annotations

from sqlalchemy import delete, select

from rota.store.core import columns, here, param, statement, upsert
from rota.store.schema_agents import sessions

_s = sessions.c
_KEYED = _s.key == param("key")

GET = statement(lambda: select(*columns(sessions)).where(here(sessions), _KEYED))
PUT = statement(lambda: upsert(sessions))
DROP = statement(lambda: delete(sessions).where(here(sessions), _KEYED))
_OLD = (
    select(_s.key)
    .where(here(sessions), _s.run_id.is_(None), _s.updated_at < param("before"))
    .order_by(_s.updated_at)
    .limit(param("limit"))
)
PRUNE = statement(lambda: delete(sessions).where(here(sessions), _s.key.in_(_OLD)))
