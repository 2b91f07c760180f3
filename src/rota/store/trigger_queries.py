"""The statements of `triggers.py`."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from rota.store.core import constant, here, param, statement, upsert
from rota.store.job_queries import IS_ACTIVE
from rota.store.schema import triggers

_OF_JOB = triggers.c.job_id == param("job_id")
_OF_ID = triggers.c.trigger_id == param("trigger_id")
_ACTIVE = triggers.c.active == constant(1)

_SELECT = select(
    triggers.c.job_id,
    triggers.c.trigger_id,
    triggers.c.kind,
    triggers.c.text,
    triggers.c.timezone,
    triggers.c.anchor,
    triggers.c.since,
    triggers.c.next_due,
).where(here(triggers))
OF = statement(lambda: _SELECT.where(_OF_JOB).order_by(triggers.c.trigger_id))
ALL = statement(lambda: _SELECT.order_by(triggers.c.job_id, triggers.c.trigger_id))
AHEAD_OF = statement(lambda: _SELECT.where(triggers.c.since > param("instant")))
DUE = statement(
    lambda: (
        _SELECT.where(_ACTIVE, triggers.c.next_due <= param("until"))
        .order_by(triggers.c.next_due)
        .limit(param("limit"))
    )
)
NEXT_DUE = statement(
    lambda: (
        select(triggers.c.next_due)
        .where(here(triggers), _ACTIVE, triggers.c.next_due.is_not(None))
        .order_by(triggers.c.next_due)
        .limit(constant(1))
    )
)
PUT = statement(lambda: upsert(triggers, active=IS_ACTIVE))
DELETE = statement(lambda: delete(triggers).where(here(triggers), _OF_JOB, _OF_ID))
ADVANCE = statement(
    lambda: (
        update(triggers)
        .where(
            here(triggers),
            _OF_JOB,
            _OF_ID,
            triggers.c.text == param("text"),
            triggers.c.next_due.is_not_distinct_from(param("expected")),
        )
        .values(since=param("new_since"), next_due=param("new_due"))
    )
)
