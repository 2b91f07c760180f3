"""The runtime registry of jobs, their definitions past and present, and the files that are broken."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from rota.model.instants import Micros
from rota.model.ledger import BrokenFile, JobRecord
from rota.store.sql import Row, Session, list_to_json
from rota.store.statements import Statement, queries

if TYPE_CHECKING:
    from rota.store import job_queries as q
else:
    q = queries("job_queries")

_ENABLED, _WARNINGS = 11, 15  # places among the columns that are read


class Jobs:
    """The verbs of `ports.store.JobsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self, *, removed: bool = False) -> list[JobRecord]:
        """By id; those that were removed only with `removed`."""
        return [_record(row) for row in self._session.all(q.ALL if removed else q.PRESENT)]

    def get(self, job_id: str) -> JobRecord | None:
        """The record, removed or not."""
        row = self._session.one(q.GET, job_id=job_id)
        return None if row is None else _record(row)

    def get_many(self, job_ids: Collection[str]) -> dict[str, JobRecord]:
        """The records that there are, by id."""
        rows = self._session.all(q.GET_MANY, ids=list_to_json(list(job_ids)))
        return {record.id: record for record in map(_record, rows)}

    def counts(self) -> dict[str, int]:
        """Number of jobs by status (see `JobRecord.status`), of those that are not removed."""
        return dict(self._session.all(q.COUNTS))

    def put(self, record: JobRecord) -> None:
        """Insert or replace, keep the definition, and let the triggers know whether the job is active."""
        self._session.change(q.DEFINE, hash=record.hash, body=record.definition)
        self._session.change(q.PUT, **_values(record))
        self._session.change(q.SYNC_TRIGGERS, job_id=record.id)

    def definition(self, hash_: str) -> str | None:
        """The JSON definition of that hash, present or past."""
        body: str | None = self._session.value(q.DEFINITION, hash=hash_)
        return body

    def unused_definitions(self, limit: int) -> list[str]:
        """Hashes of up to `limit` definitions that no job and no run refers to. Reads all of both."""
        return [hash_ for (hash_,) in self._session.all(q.UNUSED_DEFINITIONS, limit=limit)]

    def forget_definition(self, hash_: str) -> None:
        """Delete a definition; a StoreError (`store_refused`) when it is referred to after all."""
        self._session.change(q.FORGET_DEFINITION, hash=hash_)

    def set_error(self, job_id: str, error: str | None, now: Micros) -> None:
        """Mark the job's file as broken, or mended (None)."""
        self._session.change(q.SET_ERROR, job_id=job_id, new_error=error, now=now)

    def pause(self, job_id: str, reason: str, now: Micros) -> bool:
        """Pause; False when it is paused already or not there."""
        return self._switch(q.PAUSE, job_id, now=now, reason=reason)

    def resume(self, job_id: str, now: Micros) -> bool:
        """Resume; False when it is not paused."""
        return self._switch(q.RESUME, job_id, now=now)

    def _switch(self, statement: Statement, job_id: str, **values: Any) -> bool:
        changed = self._session.change(statement, job_id=job_id, **values) == 1
        if changed:
            self._session.change(q.SYNC_TRIGGERS, job_id=job_id)
        return changed

    def made_by_agents(self) -> int:
        """Number of jobs that agents made and that are not removed."""
        return int(self._session.value(q.MADE_BY_AGENTS) or 0)

    def remove(self, job_id: str, now: Micros, by: int | None = None) -> bool:
        """Mark as removed (`by`: an agent's proposal) and drop its triggers; False when it is not there."""
        removed = self._session.change(q.REMOVE, job_id=job_id, now=now, by=by) == 1
        if removed:
            self._session.change(q.DROP_TRIGGERS, job_id=job_id)
        return removed

    def broken_files(self) -> list[BrokenFile]:
        """Job files that cannot be used at present, by path."""
        return [BrokenFile(*row) for row in self._session.all(q.BROKEN)]

    def set_broken_files(self, files: Sequence[BrokenFile]) -> None:
        """Replace the whole list."""
        self._session.change(q.CLEAR_BROKEN)
        for file in files:
            self._session.change(
                q.ADD_BROKEN,
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
        "created_by": record.created_by,
        "changed_by": record.changed_by,
        "removed_by": record.removed_by,
    }


def _record(row: Row) -> JobRecord:
    values = list(row)
    values[_ENABLED] = bool(values[_ENABLED])
    values[_WARNINGS] = () if values[_WARNINGS] == "[]" else tuple(json.loads(values[_WARNINGS]))
    return JobRecord(*values)
