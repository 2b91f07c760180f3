"""The statements of `events.py`."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, insert, select

from rota.store.core import here, param, statement
from rota.store.schema import events

_e = events.c
APPEND = statement(
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
LATEST_AT = statement(lambda: select(_e.at).where(here(events)).order_by(_e.id.desc()).limit(param("limit")))
AFTER = statement(lambda: _AFTER)
AFTER_OF_JOB = statement(lambda: _AFTER.where(_e.job_id == param("job_id")))
PRUNE = statement(
    lambda: delete(events).where(
        here(events),
        _e.at < param("older_than"),
        _e.id.in_(select(_e.id).where(here(events)).order_by(_e.id).limit(param("limit"))),
    )
)
