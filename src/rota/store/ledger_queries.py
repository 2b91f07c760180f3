"""The statements of `ledger.py`."""

from __future__ import annotations

from sqlalchemy import Select, delete, exists, func, select, update

from rota.model.ledger import Outcome
from rota.model.run import ACTIVE
from rota.store.core import columns, constant, constants, here, insert_new, param, statement
from rota.store.schema import jobs, occurrences, runs
from rota.store.sql import Row

_o = occurrences.c
_OF_JOB = _o.job_id == param("job_id")

ADD = statement(lambda: insert_new(occurrences))
SETTLE = statement(
    lambda: (
        update(occurrences)
        .where(here(occurrences), _o.run_id == param("run"))
        .values(outcome=param("new_outcome"), reason_code=param("code"), reason_text=param("reason"))
    )
)
AMEND = statement(
    lambda: (
        update(occurrences)
        .where(here(occurrences), _OF_JOB, _o.trigger_id == param("of_trigger"), _o.key == param("of_key"))
        .where(_o.outcome != constant(Outcome.RAN))
        .values(
            outcome=param("new_outcome"),
            reason_code=param("code"),
            reason_text=param("reason"),
            run_id=param("run"),
        )
    )
)
_SELECT: Select[Row] = select(*columns(occurrences)).where(
    here(occurrences), _OF_JOB, (param("outcome").is_(None)) | (_o.outcome == param("outcome"))
)
UP_TO = statement(
    lambda: _SELECT.where(_o.due_at <= param("instant")).order_by(_o.due_at.desc()).limit(param("limit"))
)
AFTER = statement(
    lambda: _SELECT.where(_o.due_at > param("instant")).order_by(_o.due_at).limit(param("limit"))
)
LATEST = statement(lambda: _SELECT.order_by(_o.due_at.desc()).limit(param("limit")))
# Stretches around the instant, however many other occurrences lie between it and their first moment.
SPANNING = statement(
    lambda: _SELECT.where(_o.until >= param("instant"), _o.due_at <= param("instant")).limit(param("limit"))
)
BETWEEN = statement(
    lambda: (
        select(*columns(occurrences))
        .where(here(occurrences), _OF_JOB, _o.due_at >= param("start"), _o.due_at < param("end"))
        .order_by(_o.due_at)
    )
)
REACHING_INTO = statement(
    lambda: select(*columns(occurrences)).where(
        here(occurrences), _OF_JOB, _o.until >= param("start"), _o.due_at < param("start")
    )
)
COUNT = statement(
    lambda: select(_o.outcome, func.sum(_o.count)).where(here(occurrences), _OF_JOB).group_by(_o.outcome)
)
REACHING_BACK = statement(
    lambda: select(jobs.c.id).where(
        here(jobs),
        exists().where(
            _o.workspace_id == param("workspace_id"), _o.job_id == jobs.c.id, _o.due_at < param("older_than")
        ),
    )
)
TO_FORGET = statement(
    lambda: (
        select(_o.trigger_id, _o.key)
        .where(here(occurrences), _OF_JOB, _o.due_at < param("older_than"))
        .where(func.coalesce(_o.until, _o.due_at) < param("older_than"))
        .where(
            ~exists().where(here(runs), runs.c.id == _o.run_id, runs.c.state.in_(constants(*sorted(ACTIVE))))
        )
        .order_by(_o.due_at)
        .limit(param("limit"))
    )
)
FORGET = statement(
    lambda: delete(occurrences).where(
        here(occurrences), _OF_JOB, _o.trigger_id == param("trigger_id"), _o.key == param("key")
    )
)
