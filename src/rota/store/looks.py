"""Triggers that look, and what they have seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.looks import LookRecord
from rota.store.sql import Row, Session
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import look_queries as q
else:
    q = queries("look_queries")

_NAMES = [field.name for field in fields(LookRecord)]
_PARTIAL, _TOLD = _NAMES.index("partial"), _NAMES.index("told")


class Looks:
    """The verbs of `ports.looks.LooksTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, job_id: str) -> list[LookRecord]:
        """Those of a job, by id."""
        return [_record(row) for row in self._session.all(q.OF, job_id=job_id)]

    def all(self) -> list[LookRecord]:
        """Every one, by (job, trigger)."""
        return [_record(row) for row in self._session.all(q.ALL)]

    def active(self, kind: str) -> list[LookRecord]:
        """Those of that kind whose job is enabled, not paused, not removed."""
        return [_record(row) for row in self._session.all(q.ACTIVE, kind=kind)]

    def register(self, record: LookRecord) -> None:
        """Insert it; one that is there keeps what it knows, and gets the kind and the text."""
        values = _values(record)
        self._session.change(
            q.REGISTER,
            job_id=record.job_id,
            trigger_id=record.trigger_id,
            kind=record.kind,
            text=record.text,
            **values,
        )

    def save(self, record: LookRecord) -> bool:
        """Write how its looks went; False when it is not there any more."""
        values = _values(record)
        changed = self._session.change(q.SAVE, of_job=record.job_id, of_trigger=record.trigger_id, **values)
        return changed == 1

    def delete(self, job_id: str, trigger_id: str) -> None:
        """Forget it, and what it has seen; its occurrences stay."""
        self._session.change(q.DELETE, job_id=job_id, trigger_id=trigger_id)
        self._session.change(q.FORGET_ALL, job_id=job_id, trigger_id=trigger_id)

    def seen(self, job_id: str, trigger_id: str) -> dict[str, str]:
        """What it has seen: the version of each item."""
        return dict(self._session.all(q.SEEN, job_id=job_id, trigger_id=trigger_id))

    def see(self, record: LookRecord, items: Mapping[str, str], now: Micros) -> None:
        """Keep the versions of these items."""
        for item, version in items.items():
            self._session.change(
                q.SEE,
                job_id=record.job_id,
                trigger_id=record.trigger_id,
                item=item,
                version=version,
                seen_at=now,
            )

    def forget(self, record: LookRecord, items: Iterable[str] | None = None) -> None:
        """These items have not been seen; None: nothing has."""
        of = {"job_id": record.job_id, "trigger_id": record.trigger_id}
        if items is None:
            self._session.change(q.FORGET_ALL, **of)
            return
        for item in items:
            self._session.change(q.FORGET, item=item, **of)


def _values(record: LookRecord) -> dict[str, object]:
    return {
        "fingerprint": record.fingerprint,
        "partial": int(record.partial),
        "looked_at": record.looked_at,
        "news_at": record.news_at,
        "found": record.found,
        "failures": record.failures,
        "failing_since": record.failing_since,
        "error": record.error,
        "told": int(record.told),
        "not_before": record.not_before,
    }


def _record(row: Row) -> LookRecord:
    values = list(row)
    values[_PARTIAL], values[_TOLD] = bool(values[_PARTIAL]), bool(values[_TOLD])
    return LookRecord(*values)
