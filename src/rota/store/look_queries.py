"""The statements of `looks.py`."""

from __future__ import annotations

from sqlalchemy import Select, and_, delete, select, update

from rota.store.core import columns, constant, here, insert, param, statement, upsert
from rota.store.schema import jobs, looks, seen
from rota.store.sql import Row

_OF_TRIGGER = (looks.c.job_id == param("job_id"), looks.c.trigger_id == param("trigger_id"))
_SEEN_BY = (seen.c.job_id == param("job_id"), seen.c.trigger_id == param("trigger_id"))
_SELECT: Select[Row] = select(*columns(looks)).where(here(looks))
_STATE = (
    *("fingerprint", "partial", "looked_at", "news_at", "found"),
    *("failures", "failing_since", "error", "told", "not_before"),
)

OF = statement(lambda: _SELECT.where(looks.c.job_id == param("job_id")).order_by(looks.c.trigger_id))
ALL = statement(lambda: _SELECT.order_by(looks.c.job_id, looks.c.trigger_id))
ACTIVE = statement(
    lambda: (
        _SELECT.join(jobs, and_(jobs.c.workspace_id == looks.c.workspace_id, jobs.c.id == looks.c.job_id))
        .where(looks.c.kind == param("kind"))
        .where(jobs.c.enabled == constant(1), jobs.c.paused_at.is_(None), jobs.c.removed_at.is_(None))
        .order_by(looks.c.job_id, looks.c.trigger_id)
    )
)
REGISTER = statement(
    lambda: insert(looks).on_conflict_do_update(
        index_elements=list(looks.primary_key),
        set_={"kind": param("kind"), "text": param("text")},
    )
)
SAVE = statement(
    lambda: (
        update(looks)
        .where(here(looks), looks.c.job_id == param("of_job"), looks.c.trigger_id == param("of_trigger"))
        .values({name: param(name) for name in _STATE})
    )
)
DELETE = statement(lambda: delete(looks).where(here(looks), *_OF_TRIGGER))
SEEN = statement(lambda: select(seen.c.item, seen.c.version).where(here(seen), *_SEEN_BY))
SEE = statement(lambda: upsert(seen))
FORGET = statement(lambda: delete(seen).where(here(seen), *_SEEN_BY, seen.c.item == param("item")))
FORGET_ALL = statement(lambda: delete(seen).where(here(seen), *_SEEN_BY))
