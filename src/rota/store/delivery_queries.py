"""The statements of `deliveries.py`."""

from __future__ import annotations

from sqlalchemy import delete, func, or_, select, text, update

from rota.model.run import RunState
from rota.store.core import constant, here, param, statement
from rota.store.schema import deliveries, occurrences, runs

_d, _o = deliveries.c, occurrences.c

ADD = statement(
    lambda: text(
        "INSERT INTO deliveries (workspace_id, id, hook, job_id, trigger_id, key, digest, client, headers, query, "
        "body, is_binary, size, received_at, run_id, forgotten) "
        "SELECT :workspace_id, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, "
        "value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, "
        "0 FROM json_each(:rows)"
    )
)
# The ledger remembers a key for longer than there is a delivery: its row is the last to be asked.
KNOWN = statement(
    lambda: text(
        "WITH j AS MATERIALIZED (SELECT key AS n, value ->> 0 AS hook, value ->> 1 AS job_id, "
        "value ->> 2 AS trigger_id, value ->> 3 AS name, value ->> 4 AS digest, value ->> 5 AS since "
        "FROM json_each(:rows)) "
        "SELECT j.n, d.id, d.run_id, 0 AS turn FROM j JOIN deliveries d ON d.workspace_id = :workspace_id "
        "AND d.job_id = j.job_id AND d.trigger_id = j.trigger_id AND d.key = j.name "
        "UNION ALL SELECT j.n, d.id, d.run_id, 1 FROM j JOIN deliveries d ON d.workspace_id = :workspace_id "
        "AND d.hook = j.hook AND d.digest = j.digest AND d.received_at >= j.since "
        "UNION ALL SELECT j.n, NULL, o.run_id, 2 FROM j JOIN occurrences o ON o.workspace_id = :workspace_id "
        "AND o.job_id = j.job_id AND o.trigger_id = j.trigger_id AND o.key = j.name ORDER BY 4 DESC, 2 DESC"
    )
)
_LEDGER = (
    (_o.workspace_id == _d.workspace_id)
    & (_o.job_id == _d.job_id)
    & (_o.trigger_id == _d.trigger_id)
    & (_o.key == _d.key)
)
_SELECT = (
    select(
        *(_d.id, _d.hook, _d.job_id, _d.trigger_id, _d.key, _d.digest, _d.received_at, _d.client),
        *(_d.headers, _d.query, _d.body, _d.is_binary, _d.size, _d.run_id, _o.outcome, _o.reason_text),
    )
    .join_from(deliveries, occurrences, _LEDGER, isouter=True)
    .where(here(deliveries))
)
_LATEST = (_d.received_at.desc(), _d.id.desc())
FIND = statement(
    lambda: (
        _SELECT.where(or_(_d.id.like(param("beginning"), escape="/"), _d.id.like(param("end"), escape="/")))
        .order_by(*_LATEST)
        .limit(constant(10))
    )
)
OF_HOOK = statement(lambda: _SELECT.where(_d.hook == param("hook")).order_by(*_LATEST).limit(param("limit")))
OF_RUN = statement(
    lambda: _SELECT.where(_d.run_id.is_not(None), _d.run_id == param("run_id")).order_by(
        _d.received_at, _d.id
    )
)
_GATHERS = (
    here(runs),
    runs.c.id == param("run_id"),
    runs.c.state == constant(RunState.WAITING),
    runs.c.token == constant(0),
)
PUT_OFF = statement(
    lambda: (
        update(runs)
        .where(*_GATHERS, runs.c.not_before.is_not(None), runs.c.cancel_requested == constant(0))
        .values(not_before=param("until"))
    )
)
GIVE = statement(lambda: update(runs).where(*_GATHERS).values(inputs=param("gathered")))
COUNTS = statement(
    lambda: (
        select(_d.hook, func.count(), func.max(_d.received_at))
        .where(here(deliveries))
        .group_by(_d.hook)
        .order_by(_d.hook)
    )
)
_OLD = _d.received_at < param("older_than")
FORGET = statement(
    lambda: (
        update(deliveries)
        .where(
            here(deliveries),
            _d.id.in_(
                select(_d.id)
                .where(here(deliveries), _d.forgotten == constant(0), _OLD)
                .order_by(_d.received_at)
                .limit(param("limit"))
            ),
        )
        .values(headers=constant("{}"), query=constant("{}"), body=constant(""), forgotten=constant(1))
    )
)
PRUNE = statement(
    lambda: delete(deliveries).where(
        here(deliveries),
        _d.id.in_(select(_d.id).where(here(deliveries), _OLD).order_by(_d.received_at).limit(param("limit"))),
    )
)
