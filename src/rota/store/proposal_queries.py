"""The statements of `proposals.py`."""

from __future__ import annotations

from sqlalchemy import delete, func, or_, select, update

from rota.store.core import columns, constant, here, insert, param, statement
from rota.store.schema import jobs
from rota.store.schema_agents import proposals

_p = proposals.c
_SELECT = select(*columns(proposals)).where(here(proposals))
_THIS = _p.number == param("number")
_PENDING = _p.state.in_([constant("open"), constant("applying")])
_BY = [
    select(column).where(jobs.c.workspace_id == _p.workspace_id, column.is_not(None))
    for column in (jobs.c.created_by, jobs.c.changed_by, jobs.c.removed_by)
]

ADD = statement(lambda: insert(proposals))
LAST = statement(lambda: select(func.max(_p.number)).where(here(proposals)))
GET = statement(lambda: _SELECT.where(_THIS))
PENDING = statement(lambda: _SELECT.where(_PENDING).order_by(_p.number))
RECENT = statement(lambda: _SELECT.order_by(_p.number.desc()).limit(param("limit")))
RECENT_OF_JOB = statement(
    lambda: _SELECT.where(_p.job_id == param("job_id")).order_by(_p.number.desc()).limit(param("limit"))
)
SINCE = statement(lambda: select(func.count()).where(here(proposals), _p.asked_at >= param("instant")))
MOVE = statement(
    lambda: (
        update(proposals)
        .where(here(proposals), _THIS, _p.state == param("before_state"))
        .values(
            state=param("after_state"),
            decided_at=param("now"),
            decided_by=param("by"),
            answer=param("given"),
        )
    )
)
PUT_HASH = statement(lambda: update(proposals).where(here(proposals), _THIS).values(hash=param("new_hash")))
END = statement(
    lambda: (
        update(proposals).where(here(proposals), _THIS).values(state=param("new_state"), result=param("said"))
    )
)
PRUNE = statement(
    lambda: delete(proposals).where(
        here(proposals),
        _p.number.in_(
            select(_p.number)
            .where(
                here(proposals),
                _p.asked_at < param("older_than"),
                ~_PENDING,
                ~or_(*(_p.number.in_(by) for by in _BY)),
            )
            .limit(param("limit"))
        ),
    )
)
