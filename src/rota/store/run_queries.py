"""The statements of `runs.py`. States are written into the text, since the partial indexes name them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    text,
    update,
)

from rota.model.run import FINAL, RETRY, RunState
from rota.store.core import columns, constant, constants, here, insert, param, statement
from rota.store.schema import jobs, runs
from rota.store.sql import Row

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
_IS_WANTED = _r.cancel_requested == constant(0)
_NEWEST_FIRST = (_r.queued_at.desc(), _r.id.desc())
_SET_REASON = {"reason_code": param("code"), "reason_text": param("text")}
# What a run waits for that nobody executes and whose end was asked for: nothing that could come later.
_AT_ONCE = constant(0)


def _if_wanted(value: ColumnElement[Any], else_: ColumnElement[Any]) -> ColumnElement[Any]:
    """What a column becomes, and what instead where the run's end was asked for."""
    return case((_IS_WANTED, value), else_=else_)


_SELECT: Select[Row] = select(*columns(runs)).where(here(runs))

ADD = statement(lambda: insert(runs))
GET = statement(lambda: _SELECT.where(_OF_ID))
STATE = statement(lambda: select(_r.state).where(here(runs), _OF_ID))
# Not ordered or grouped here: SQLite would walk all of a bigger index to spare itself the sorting.
ACTIVE = statement(lambda: _SELECT.where(_OF_JOB, _IS_ACTIVE))
# From one job to the next in the index, over all the runs between them.
ACTIVE_JOBS = statement(
    lambda: text(
        "WITH RECURSIVE j (job_id) AS (SELECT min(job_id) FROM runs WHERE workspace_id = :workspace_id "
        "AND state IN ('queued', 'running', 'waiting') UNION ALL SELECT (SELECT min(r.job_id) FROM runs r "
        "WHERE r.workspace_id = :workspace_id AND r.state IN ('queued', 'running', 'waiting') "
        "AND r.job_id > j.job_id) FROM j WHERE j.job_id IS NOT NULL) "
        "SELECT job_id FROM j WHERE job_id IS NOT NULL"
    )
)
_QUEUED = _SELECT.where(_IS_QUEUED).order_by(_r.priority.desc(), _r.queued_at, _r.id).limit(param("limit"))
_AWAKE = (
    _SELECT.where(_IS_WAITING, _r.not_before <= param("now"), _IS_WANTED)
    .order_by(_r.priority.desc(), _r.queued_at, _r.id)
    .limit(param("limit"))
)
_JOBS = func.json_each(param("jobs")).table_valued("value", name="jobs")
_OF_THESE = _r.job_id.in_(select(_JOBS.c.value))
QUEUED = statement(lambda: _QUEUED)
AWAKE = statement(lambda: _AWAKE)
QUEUED_OF = statement(lambda: _QUEUED.where(_OF_THESE))
AWAKE_OF = statement(lambda: _AWAKE.where(_OF_THESE))
NEXT_WAKE = statement(
    lambda: (
        select(_r.not_before)
        .where(here(runs), _IS_WAITING, _r.not_before.is_not(None))
        .order_by(_r.not_before)
        .limit(constant(1))
    )
)
RUNNING = statement(lambda: _SELECT.where(_IS_RUNNING))
RUNNING_OF = statement(lambda: _SELECT.where(_IS_RUNNING, _OF_OWNER))
RUNNING_COUNT = statement(lambda: select(func.count()).where(here(runs), _IS_RUNNING, _OF_OWNER))
RUNNING_GROUPS = statement(lambda: select(_r.job_id, _r.concurrency_group).where(here(runs), _IS_RUNNING))
CANCEL_REQUESTS = statement(
    lambda: select(_r.id).where(here(runs), _IS_RUNNING, _OF_OWNER, _r.cancel_requested == constant(1))
)

CLAIM = statement(
    lambda: (
        update(runs)
        .where(
            here(runs),
            _OF_ID,
            or_(_IS_QUEUED, and_(_IS_WAITING, _r.not_before <= param("now"), _IS_WANTED)),
        )
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
RENEW = statement(
    lambda: update(runs).where(here(runs), _IS_RUNNING, _OF_OWNER).values(lease_until=param("until"))
)
RELEASE = statement(
    lambda: (
        update(runs)
        .where(here(runs), _IS_HELD)
        .values(
            state=_if_wanted(param("new_state"), constant(RunState.WAITING)),
            owner=null(),
            lease_until=null(),
            not_before=_if_wanted(param("wake_at"), _AT_ONCE),
            reason_code=_if_wanted(param("code"), _r.reason_code),
            reason_text=_if_wanted(param("text"), _r.reason_text),
        )
    )
)
FINISH = statement(
    lambda: (
        update(runs)
        .where(here(runs), _OF_ID, _r.state == param("held_as"), _r.token == param("held"))
        .values(
            state=param("new_state"),
            lease_until=null(),
            not_before=null(),
            finished_at=param("now"),
            outputs=param("values"),
            **_SET_REASON,
        )
    )
)
REQUEST_CANCEL = statement(
    lambda: (
        update(runs)
        .where(here(runs), _OF_ID, _IS_ACTIVE, _IS_WANTED)
        .values(
            state=case((_IS_RUNNING, _r.state), else_=constant(RunState.WAITING)),
            not_before=case((_IS_RUNNING, null()), else_=_AT_ONCE),
            cancel_requested=constant(1),
            **_SET_REASON,
        )
    )
)
TO_END = statement(
    lambda: _SELECT.where(_IS_WAITING, _r.not_before <= _AT_ONCE, _r.cancel_requested == constant(1))
)
REQUEUE = statement(
    lambda: (
        update(runs)
        .where(here(runs), _OF_ID, _IS_WAITING, _IS_WANTED)
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
LATEST = statement(lambda: _SELECT.where(_r.id.in_(select(_LATEST_ID).where(here(jobs)))))

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
FAILURES_IN_A_ROW = statement(
    lambda: select(func.count()).where(
        here(runs),
        _OF_JOB,
        _r.state == constant(RunState.FAILED),
        _r.trigger_id != constant(RETRY),  # all attempts at one occurrence are one failure
        _r.queued_at > func.coalesce(_LAST_SUCCESS, constant(-1)),
        _r.queued_at >= param("since"),
    )
)
PREVIOUS = statement(
    lambda: (
        _SELECT.where(
            _OF_JOB, _r.id != param("before"), _r.state.in_(constants(RunState.SUCCEEDED, RunState.FAILED))
        )
        .order_by(*_NEWEST_FIRST)
        .limit(constant(1))
    )
)
LENGTHS = statement(
    lambda: (
        select(_r.finished_at - _r.started_at)
        .where(here(runs), _OF_JOB, _r.state == constant(RunState.SUCCEEDED))
        .order_by(*_NEWEST_FIRST)
        .limit(param("limit"))
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
# From one job to the next by the index, and no further into each than `keep`: grouped, it would read all of a million
# runs. Where there never were as many as are kept (rows are numbered), no job is counted.
WITH_OUTDATED = statement(
    lambda: text(
        "WITH RECURSIVE job(id) AS (SELECT min(job_id) FROM runs WHERE workspace_id = :workspace_id UNION ALL "
        "SELECT (SELECT min(job_id) FROM runs WHERE workspace_id = :workspace_id AND job_id > job.id) FROM job "
        "WHERE job.id IS NOT NULL) SELECT id FROM job WHERE id IS NOT NULL AND ("
        "EXISTS (SELECT 1 FROM runs WHERE workspace_id = :workspace_id AND job_id = job.id AND queued_at < :older_than) "
        "OR ((SELECT max(rowid) FROM runs) - (SELECT min(rowid) FROM runs) >= :keep AND EXISTS ("
        "SELECT 1 FROM runs WHERE workspace_id = :workspace_id AND job_id = job.id LIMIT 1 OFFSET :keep)))"
    )
)
OUTDATED = statement(
    lambda: (
        select(_ranked.c.id)
        .where(or_(_ranked.c.place > param("keep"), _ranked.c.finished_at < param("older_than")))
        .order_by(_ranked.c.place.desc())
        .limit(param("limit"))
    )
)
_newer = runs.alias("newer")
OLDEST = statement(
    lambda: (
        select(_r.id)
        .where(
            here(runs),
            _IS_FINAL,
            _r.queued_at < param("older_than"),
            exists().where(
                _newer.c.workspace_id == param("workspace_id"),
                _newer.c.job_id == _r.job_id,
                _newer.c.queued_at > _r.queued_at,
                _newer.c.state.in_(constants(*sorted(FINAL))),
            ),
        )
        .order_by(_r.queued_at, _r.id)
        .limit(param("limit"))
    )
)
JOB_AND_STATE = statement(lambda: select(_r.job_id, _r.state).where(here(runs), _OF_ID))
DELETE = statement(lambda: delete(runs).where(here(runs), _OF_ID, _IS_FINAL))

FIND = statement(
    lambda: (
        _SELECT.where(or_(_r.id.like(param("beginning"), escape="/"), _r.id.like(param("end"), escape="/")))
        .order_by(*_NEWEST_FIRST)
        .limit(constant(10))
    )
)
_SINCE = _r.queued_at >= param("since")
_STATES = func.json_each(param("states")).table_valued("value", name="states")
_IS_IN_STATES = _r.state.in_(select(_STATES.c.value))
_RECENT = _SELECT.where(_SINCE).order_by(*_NEWEST_FIRST).limit(param("limit"))
RECENT = statement(lambda: _RECENT)
RECENT_IN = statement(lambda: _RECENT.where(_IS_IN_STATES))
RECENT_OF = statement(lambda: _RECENT.where(_OF_JOB))
RECENT_OF_IN = statement(lambda: _RECENT.where(_OF_JOB, _IS_IN_STATES))
# Of the runs that have not ended, which are few. As a sum, the time is nothing to walk an index by,
# through all that has ended.
_queued_at = _r.queued_at + constant(0)
RECENT_ACTIVE_IN = statement(
    lambda: (
        _SELECT.where(_IS_ACTIVE, _queued_at >= param("since"), _IS_IN_STATES)
        .order_by(_queued_at.desc(), _r.id.desc())
        .limit(param("limit"))
    )
)
