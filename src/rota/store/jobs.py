"""The runtime registry of jobs, their definitions past and present, and the files that are broken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, case, delete, null, select, update

from rota.model.instants import Micros
from rota.model.ledger import BrokenFile, JobRecord
from rota.store.schema import broken_files, job_definitions, jobs, triggers
from rota.store.sql import (
    Row,
    Session,
    Statement,
    columns,
    constant,
    here,
    insert,
    insert_new,
    list_to_json,
    param,
    upsert,
)

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
)
_NAMES = [column.name for column in _COLUMNS]
_ENABLED, _WARNINGS = _NAMES.index("enabled"), _NAMES.index("warnings")
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
_ALL = Statement(lambda: _SELECT)
_PRESENT = Statement(lambda: _SELECT.where(jobs.c.removed_at.is_(None)))
_GET = Statement(lambda: _SELECT.where(_OF_ID))
_PUT = Statement(lambda: upsert(jobs))
_DEFINE = Statement(lambda: insert_new(job_definitions))
_DEFINITION = Statement(
    lambda: select(job_definitions.c.body).where(
        here(job_definitions), job_definitions.c.hash == param("hash")
    )
)
_SET_ERROR = Statement(
    lambda: update(jobs).where(here(jobs), _OF_ID).values(error=param("new_error"), updated_at=param("now"))
)
_PAUSE = Statement(
    lambda: (
        update(jobs)
        .where(here(jobs), _OF_ID, jobs.c.paused_at.is_(None), jobs.c.removed_at.is_(None))
        .values(paused_at=param("now"), paused_reason=param("reason"), updated_at=param("now"))
    )
)
_RESUME = Statement(
    lambda: (
        update(jobs)
        .where(here(jobs), _OF_ID, jobs.c.paused_at.is_not(None), jobs.c.removed_at.is_(None))
        .values(paused_at=null(), paused_reason=null(), updated_at=param("now"))
    )
)
_REMOVE = Statement(
    lambda: (
        update(jobs)
        .where(here(jobs), _OF_ID, jobs.c.removed_at.is_(None))
        .values(removed_at=param("now"), updated_at=param("now"))
    )
)
_DROP_TRIGGERS = Statement(
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
_SYNC_TRIGGERS = Statement(
    lambda: (
        update(triggers)
        .where(here(triggers), triggers.c.job_id == param("job_id"), triggers.c.active != IS_ACTIVE)
        .values(active=IS_ACTIVE)
    )
)

_BROKEN = Statement(
    lambda: select(*columns(broken_files)).where(here(broken_files)).order_by(broken_files.c.path)
)
_CLEAR_BROKEN = Statement(lambda: delete(broken_files).where(here(broken_files)))
_ADD_BROKEN = Statement(lambda: insert(broken_files))


class Jobs:
    """The verbs of `ports.store.JobsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, *, removed: bool = False) -> list[JobRecord]:
        """By id; those that were removed only with `removed`."""
        return [_record(row) for row in self._session.all(_ALL if removed else _PRESENT)]

    def get(self, job_id: str) -> JobRecord | None:
        """The record, removed or not."""
        row = self._session.one(_GET, job_id=job_id)
        return None if row is None else _record(row)

    def put(self, record: JobRecord) -> None:
        """Insert or replace, keep the definition, and let the triggers know whether the job is active."""
        self._session.change(_DEFINE, hash=record.hash, body=record.definition)
        self._session.change(_PUT, **_values(record))
        self._session.change(_SYNC_TRIGGERS, job_id=record.id)

    def definition(self, hash_: str) -> str | None:
        """The JSON definition of that hash, present or past."""
        body: str | None = self._session.value(_DEFINITION, hash=hash_)
        return body

    def set_error(self, job_id: str, error: str | None, now: Micros) -> None:
        """Mark the job's file as broken, or mended (None)."""
        self._session.change(_SET_ERROR, job_id=job_id, new_error=error, now=now)

    def pause(self, job_id: str, reason: str, now: Micros) -> bool:
        """Pause; False when it is paused already or not there."""
        return self._switch(_PAUSE, job_id, now=now, reason=reason)

    def resume(self, job_id: str, now: Micros) -> bool:
        """Resume; False when it is not paused."""
        return self._switch(_RESUME, job_id, now=now)

    def _switch(self, statement: Statement, job_id: str, **values: Any) -> bool:
        changed = self._session.change(statement, job_id=job_id, **values) == 1
        if changed:
            self._session.change(_SYNC_TRIGGERS, job_id=job_id)
        return changed

    def remove(self, job_id: str, now: Micros) -> bool:
        """Mark as removed and drop its triggers; False when it is not there."""
        removed = self._session.change(_REMOVE, job_id=job_id, now=now) == 1
        if removed:
            self._session.change(_DROP_TRIGGERS, job_id=job_id)
        return removed

    def broken_files(self) -> list[BrokenFile]:
        """Job files that cannot be used at present, by path."""
        return [BrokenFile(*row) for row in self._session.all(_BROKEN)]

    def set_broken_files(self, files: Sequence[BrokenFile]) -> None:
        """Replace the whole list."""
        self._session.change(_CLEAR_BROKEN)
        for file in files:
            self._session.change(
                _ADD_BROKEN,
                path=file.path,
                error=file.error,
                line=file.line,
                hint=file.hint,
                seen_at=file.seen_at,
            )


def _values(record: JobRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "hash": record.hash,
        "origin": record.origin,
        "path": record.path,
        "description": record.description,
        "schedule": record.schedule,
        "timezone": record.timezone,
        "enabled": record.enabled,
        "paused_at": record.paused_at,
        "paused_reason": record.paused_reason,
        "error": record.error,
        "warnings": list_to_json(record.warnings),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "removed_at": record.removed_at,
    }


def _record(row: Row) -> JobRecord:
    values = list(row)
    values[_ENABLED] = bool(values[_ENABLED])
    values[_WARNINGS] = tuple(json.loads(values[_WARNINGS]))
    return JobRecord(*values)
