"""The statements of `daemons.py`."""

from __future__ import annotations

from sqlalchemy import select, update

from rota.store.core import columns, here, param, statement, upsert
from rota.store.schema import daemons

_d = daemons.c
PUT = statement(lambda: upsert(daemons))
SEEN = statement(
    lambda: update(daemons).where(here(daemons), _d.id == param("daemon_id")).values(seen_at=param("now"))
)
RECENT = statement(
    lambda: (
        select(*columns(daemons))
        .where(here(daemons))
        .order_by(_d.started_at.desc(), _d.id.desc())
        .limit(param("limit"))
    )
)
