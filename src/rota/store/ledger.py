"""Occurrences: how every due moment ended."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Select, delete, func, select, update

from rota.model.instants import Micros
from rota.model.ledger import Occurrence, Outcome
from rota.model.run import Reason
from rota.store.schema import occurrences
from rota.store.sql import Row, Session, Statement, columns, from_json, here, insert_new, param, to_json

_o = occurrences.c
_OF_JOB = _o.job_id == param("job_id")

_ADD = Statement(lambda: insert_new(occurrences))
SETTLE = Statement(
    lambda: (
        update(occurrences)
        .where(here(occurrences), _o.run_id == param("run"))
        .values(outcome=param("new_outcome"), reason_code=param("code"), reason_text=param("reason"))
    )
)
_SELECT: Select[Row] = select(*columns(occurrences)).where(
    here(occurrences), _OF_JOB, (param("outcome").is_(None)) | (_o.outcome == param("outcome"))
)
_UP_TO = Statement(
    lambda: _SELECT.where(_o.due_at <= param("instant")).order_by(_o.due_at.desc()).limit(param("limit"))
)
_AFTER = Statement(
    lambda: _SELECT.where(_o.due_at > param("instant")).order_by(_o.due_at).limit(param("limit"))
)
LATEST = Statement(lambda: _SELECT.order_by(_o.due_at.desc()).limit(param("limit")))
# Stretches around the instant, however many other occurrences lie between it and their first moment.
SPANNING = Statement(
    lambda: _SELECT.where(_o.until >= param("instant"), _o.due_at <= param("instant")).limit(param("limit"))
)
_COUNT = Statement(
    lambda: select(_o.outcome, func.sum(_o.count)).where(here(occurrences), _OF_JOB).group_by(_o.outcome)
)
_TO_FORGET = Statement(
    lambda: (
        select(_o.trigger_id, _o.key)
        .where(here(occurrences), _OF_JOB, _o.due_at < param("older_than"))
        .where(func.coalesce(_o.until, _o.due_at) < param("older_than"))
        .order_by(_o.due_at)
        .limit(param("limit"))
    )
)
_FORGET = Statement(
    lambda: delete(occurrences).where(
        here(occurrences), _OF_JOB, _o.trigger_id == param("trigger_id"), _o.key == param("key")
    )
)


class Ledger:
    """The verbs of `ports.store.LedgerTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, occurrence: Occurrence) -> bool:
        """Insert; False when (job, trigger, key) is there already, and nothing is written."""
        return (
            self._session.change(
                _ADD,
                job_id=occurrence.job_id,
                trigger_id=occurrence.trigger_id,
                key=occurrence.key,
                due_at=occurrence.due_at,
                noticed_at=occurrence.noticed_at,
                outcome=occurrence.outcome,
                reason_code=occurrence.reason.code,
                reason_text=occurrence.reason.text,
                run_id=occurrence.run_id,
                until=occurrence.until,
                count=occurrence.count,
                detail=to_json(occurrence.detail),
            )
            == 1
        )

    def settle(self, run_id: str, outcome: Outcome, reason: Reason) -> None:
        """Change how the occurrence of a run ended."""
        self._session.change(SETTLE, run=run_id, new_outcome=outcome, code=reason.code, reason=reason.text)

    def of(
        self, job_id: str, *, limit: int = 50, around: Micros | None = None, outcome: Outcome | None = None
    ) -> list[Occurrence]:
        """Latest first; with `around`, those nearest to that instant, latest first."""
        if around is None:
            return [
                _occurrence(row)
                for row in self._session.all(LATEST, job_id=job_id, outcome=outcome, limit=limit)
            ]

        def distance(one: Occurrence) -> Micros:
            return max(one.due_at - around, around - (one.until or one.due_at), 0)

        near: dict[tuple[str, str], Occurrence] = {}
        for statement in (_UP_TO, _AFTER, SPANNING):
            rows = self._session.all(statement, job_id=job_id, outcome=outcome, instant=around, limit=limit)
            near.update(((one.trigger_id, one.key), one) for one in map(_occurrence, rows))
        nearest = sorted(near.values(), key=distance)[:limit]
        return sorted(nearest, key=lambda one: one.due_at, reverse=True)

    def count(self, job_id: str) -> Mapping[str, int]:
        """Number of moments by outcome."""
        return dict(self._session.all(_COUNT, job_id=job_id))

    def prune(self, job_id: str, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` occurrences that ended before that instant; how many."""
        old = self._session.all(_TO_FORGET, job_id=job_id, older_than=older_than, limit=limit)
        for trigger_id, key in old:
            self._session.change(_FORGET, job_id=job_id, trigger_id=trigger_id, key=key)
        return len(old)


def _occurrence(row: Row) -> Occurrence:
    job_id, trigger_id, key, due_at, noticed_at, outcome, code, text, run_id, until, count, detail = row
    return Occurrence(
        job_id,
        trigger_id,
        key,
        due_at,
        noticed_at,
        Outcome(outcome),
        Reason(code, text),
        run_id,
        until,
        count,
        from_json(detail),
    )
