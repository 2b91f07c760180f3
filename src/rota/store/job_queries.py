"""The statements of `jobs.py`."""

from __future__ import annotations

from sqlalchemy import and_, case, delete, func, literal_column, null, select, text, update

from rota.store.core import columns, constant, here, insert, insert_new, param, statement, upsert
from rota.store.schema import broken_files, job_definitions, jobs, runs, triggers

_OF_ID = jobs.c.id == param("job_id")

_COLUMNS = (
    jobs.c.id,
    jobs.c.name,
    job_definitions.c.body,
    jobs.c.hash,
    jobs.c.origin,
    jobs.c.created_at,
    jobs.c.updated_at,
    jobs.c.path,
    jobs.c.description,
    jobs.c.schedule,
    jobs.c.timezone,
    jobs.c.enabled,
    jobs.c.paused_at,
    jobs.c.paused_reason,
    jobs.c.error,
    jobs.c.warnings,
    jobs.c.removed_at,
    jobs.c.created_by,
    jobs.c.changed_by,
    jobs.c.removed_by,
)
_SELECT = (
    select(*_COLUMNS)
    .join_from(
        jobs,
        job_definitions,
        and_(jobs.c.workspace_id == job_definitions.c.workspace_id, jobs.c.hash == job_definitions.c.hash),
    )
    .where(here(jobs))
    .order_by(jobs.c.id)
)
ALL = statement(lambda: _SELECT)
PRESENT = statement(lambda: _SELECT.where(jobs.c.removed_at.is_(None)))
GET = statement(lambda: _SELECT.where(_OF_ID))
GET_MANY = statement(
    lambda: _SELECT.where(jobs.c.id.in_(select(literal_column("value")).select_from(text("json_each(:ids)"))))
)
_STATUS = case(
    (jobs.c.error.is_not(None), constant("broken")),
    (jobs.c.paused_at.is_not(None), constant("paused")),
    (jobs.c.enabled == constant(1), constant("active")),
    else_=constant("disabled"),
)
COUNTS = statement(
    lambda: select(_STATUS, func.count()).where(here(jobs), jobs.c.removed_at.is_(None)).group_by(_STATUS)
)
PUT = statement(lambda: upsert(jobs))
DEFINE = statement(lambda: insert_new(job_definitions))
DEFINITION = statement(
    lambda: select(job_definitions.c.body).where(
        here(job_definitions), job_definitions.c.hash == param("hash")
    )
)
UNUSED_DEFINITIONS = statement(
    lambda: (
        select(job_definitions.c.hash)
        .where(
            here(job_definitions),
            job_definitions.c.hash.not_in(select(jobs.c.hash).where(here(jobs))),
            job_definitions.c.hash.not_in(select(runs.c.definition).where(here(runs))),
        )
        .limit(param("limit"))
    )
)
FORGET_DEFINITION = statement(
    lambda: delete(job_definitions).where(here(job_definitions), job_definitions.c.hash == param("hash"))
)
SET_ERROR = statement(
    lambda: update(jobs).where(here(jobs), _OF_ID).values(error=param("new_error"), updated_at=param("now"))
)
PAUSE = statement(
    lambda: (
        update(jobs)
        .where(here(jobs), _OF_ID, jobs.c.paused_at.is_(None), jobs.c.removed_at.is_(None))
        .values(paused_at=param("now"), paused_reason=param("reason"), updated_at=param("now"))
    )
)
RESUME = statement(
    lambda: (
        update(jobs)
        .where(here(jobs), _OF_ID, jobs.c.paused_at.is_not(None), jobs.c.removed_at.is_(None))
        .values(paused_at=null(), paused_reason=null(), updated_at=param("now"))
    )
)
MADE_BY_AGENTS = statement(
    lambda: select(func.count()).where(
        here(jobs), jobs.c.created_by.is_not(None), jobs.c.removed_at.is_(None)
    )
)
REMOVE = statement(
    lambda: (
        update(jobs)
        .where(here(jobs), _OF_ID, jobs.c.removed_at.is_(None))
        .values(removed_at=param("now"), updated_at=param("now"), removed_by=param("by"))
    )
)
DROP_TRIGGERS = statement(
    lambda: delete(triggers).where(here(triggers), triggers.c.job_id == param("job_id"))
)

# Whether the job of :job_id starts runs by itself: what its triggers repeat in `active`.
IS_ACTIVE = (
    select(
        case(
            (
                and_(jobs.c.enabled == constant(1), jobs.c.paused_at.is_(None), jobs.c.removed_at.is_(None)),
                constant(1),
            ),
            else_=constant(0),
        )
    )
    .where(here(jobs), _OF_ID)
    .scalar_subquery()
)
SYNC_TRIGGERS = statement(
    lambda: (
        update(triggers)
        .where(here(triggers), triggers.c.job_id == param("job_id"), triggers.c.active != IS_ACTIVE)
        .values(active=IS_ACTIVE)
    )
)

BROKEN = statement(
    lambda: select(*columns(broken_files)).where(here(broken_files)).order_by(broken_files.c.path)
)
CLEAR_BROKEN = statement(lambda: delete(broken_files).where(here(broken_files)))
ADD_BROKEN = statement(lambda: insert(broken_files))
