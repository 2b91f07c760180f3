"""The statements of `runs.py`. States are written into the text, since the partial indexes name them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, and_, delete, false, func, null, or_, select, update

from rota.model.instants import Micros
from rota.model.run import FINAL, RunState
from rota.store.schema import jobs, runs
from rota.store.sql import Row, Statement, columns, constant, constants, here, insert, param

_r = runs.c
_OF_ID = _r.id == param("run_id")
_OF_JOB = _r.job_id == param("job_id")
_OF_OWNER = _r.owner == param("of_owner")
_IS_QUEUED = _r.state == constant(RunState.QUEUED)
_IS_RUNNING = _r.state == constant(RunState.RUNNING)
_IS_WAITING = _r.state == constant(RunState.WAITING)
_IS_ACTIVE = _r.state.in_(constants(RunState.QUEUED, RunState.RUNNING, RunState.WAITING))
_IS_FINAL = _r.state.in_(constants(*sorted(FINAL)))
_IS_HELD = and_(_OF_ID, _IS_RUNNING, _r.token == param("held"))
_NEWEST_FIRST = (_r.queued_at.desc(), _r.id.desc())
_SET_REASON = {"reason_code": param("code"), "reason_text": param("text")}

_SELECT: Select[Row] = select(*columns(runs)).where(here(runs))

ADD = Statement(lambda: insert(runs))
GET = Statement(lambda: _SELECT.where(_OF_ID))
STATE = Statement(lambda: select(_r.state).where(here(runs), _OF_ID))
# Not ordered or grouped here: SQLite would walk all of a bigger index to spare itself the sorting.
ACTIVE = Statement(lambda: _SELECT.where(_OF_JOB, _IS_ACTIVE))
QUEUED = Statement(
    lambda: _SELECT.where(_IS_QUEUED).order_by(_r.priority.desc(), _r.queued_at, _r.id).limit(param("limit"))
)
AWAKE = Statement(
    lambda: (
        _SELECT.where(_IS_WAITING, _r.not_before <= param("now"))
        .order_by(_r.priority.desc(), _r.queued_at, _r.id)
        .limit(param("limit"))
    )
)
NEXT_WAKE = Statement(
    lambda: (
        select(_r.not_before)
        .where(here(runs), _IS_WAITING, _r.not_before.is_not(None))
        .order_by(_r.not_before)
        .limit(constant(1))
    )
)
RUNNING = Statement(lambda: _SELECT.where(_IS_RUNNING))
RUNNING_OF = Statement(lambda: _SELECT.where(_IS_RUNNING, _OF_OWNER))
RUNNING_GROUPS = Statement(lambda: select(_r.job_id, _r.concurrency_group).where(here(runs), _IS_RUNNING))
CANCEL_REQUESTS = Statement(
    lambda: select(_r.id).where(here(runs), _IS_RUNNING, _OF_OWNER, _r.cancel_requested == constant(1))
)

CLAIM = Statement(
    lambda: (
        update(runs)
        .where(here(runs), _OF_ID, or_(_IS_QUEUED, and_(_IS_WAITING, _r.not_before <= param("now"))))
        .values(
            state=constant(RunState.RUNNING),
            token=_r.token + constant(1),
            owner=param("new_owner"),
            lease_until=param("until"),
            not_before=null(),
            started_at=func.coalesce(_r.started_at, param("now")),
            **_SET_REASON,
        )
        .returning(*columns(runs))
    )
)
RENEW = Statement(
    lambda: update(runs).where(here(runs), _IS_RUNNING, _OF_OWNER).values(lease_until=param("until"))
)
RELEASE = Statement(
    lambda: (
        update(runs)
        .where(here(runs), _IS_HELD)
        .values(
            state=param("new_state"),
            owner=null(),
            lease_until=null(),
            not_before=param("wake_at"),
            **_SET_REASON,
        )
    )
)
FINISH = Statement(
    lambda: (
        update(runs)
        .where(here(runs), _IS_HELD)
        .values(
            state=param("new_state"),
            lease_until=null(),
            finished_at=param("now"),
            outputs=param("values"),
            **_SET_REASON,
        )
    )
)
TELL_TO_CANCEL = Statement(
    lambda: update(runs).where(here(runs), _OF_ID).values(cancel_requested=constant(1))
)
CANCEL = Statement(
    lambda: (
        update(runs)
        .where(here(runs), _OF_ID, _r.state == param("before"))
        .values(
            state=constant(RunState.CANCELLED),
            cancel_requested=constant(1),
            not_before=null(),
            finished_at=param("now"),
            **_SET_REASON,
        )
    )
)
REQUEUE = Statement(
    lambda: (
        update(runs)
        .where(here(runs), _OF_ID, _IS_WAITING)
        .values(state=constant(RunState.QUEUED), not_before=null(), **_SET_REASON)
    )
)

_LATEST_ID = (
    select(_r.id)
    .where(here(runs), _r.job_id == jobs.c.id)
    .order_by(*_NEWEST_FIRST)
    .limit(constant(1))
    .correlate(jobs)
    .scalar_subquery()
)
LATEST = Statement(lambda: _SELECT.where(_r.id.in_(select(_LATEST_ID).where(here(jobs)))))

_since_success = runs.alias("succeeded_runs")
_LAST_SUCCESS = (
    select(func.max(_since_success.c.queued_at))
    .where(
        _since_success.c.workspace_id == param("workspace_id"),
        _since_success.c.job_id == param("job_id"),
        _since_success.c.state == constant(RunState.SUCCEEDED),
    )
    .scalar_subquery()
)
FAILURES_IN_A_ROW = Statement(
    lambda: select(func.count()).where(
        here(runs),
        _OF_JOB,
        _r.state == constant(RunState.FAILED),
        _r.queued_at > func.coalesce(_LAST_SUCCESS, constant(-1)),
    )
)
PREVIOUS = Statement(
    lambda: (
        _SELECT.where(
            _OF_JOB, _r.id != param("before"), _r.state.in_(constants(RunState.SUCCEEDED, RunState.FAILED))
        )
        .order_by(*_NEWEST_FIRST)
        .limit(constant(1))
    )
)

_ranked = (
    select(
        _r.id,
        _r.queued_at,
        _r.finished_at,
        func.row_number().over(order_by=_NEWEST_FIRST).label("place"),
    )
    .where(here(runs), _OF_JOB, _IS_FINAL)
    .subquery("ranked")
)
TO_PRUNE = Statement(
    lambda: (
        select(_ranked.c.id)
        .where(or_(_ranked.c.place > param("keep"), _ranked.c.finished_at < param("older_than")))
        .order_by(_ranked.c.place.desc())
        .limit(param("limit"))
    )
)
DELETE = Statement(lambda: delete(runs).where(here(runs), _OF_ID))


def find(text: str) -> Statement:
    """The runs whose id starts or ends with `text`, the latest 10."""
    matches = or_(_r.id.startswith(text, autoescape=True), _r.id.endswith(text, autoescape=True))
    return Statement(lambda: _SELECT.where(matches).order_by(*_NEWEST_FIRST).limit(constant(10)))


def recent(job_id: str | None, states: Iterable[RunState] | None, since: Micros | None) -> Statement:
    """The latest runs that meet every condition that is given."""
    statement: Select[Any] = _SELECT
    if job_id is not None:
        statement = statement.where(_r.job_id == job_id)
    if states is not None:
        names = constants(*states)
        statement = statement.where(_r.state.in_(names) if names else false())
    if since is not None:
        statement = statement.where(_r.queued_at >= since)
    return Statement(lambda: statement.order_by(*_NEWEST_FIRST).limit(param("limit")))
