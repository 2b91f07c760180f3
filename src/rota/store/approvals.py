"""Questions that runs wait on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.message import Approval, ApprovalState, OnDeny
from rota.store.sql import Row, Session, list_to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import approval_queries as q
else:
    q = queries("approval_queries")


class Approvals:
    """The verbs of `ports.store.ApprovalsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(self, approval: Approval) -> None:
        """Insert or reopen by (run, step)."""
        self._session.change(
            q.ASK,
            run_id=approval.run_id,
            step_id=approval.step_id,
            kind=approval.kind,
            question=approval.question,
            asked_at=approval.asked_at,
            job_id=approval.job_id,
            choices=list_to_json(approval.choices),
            state=ApprovalState.OPEN,
            answer=None,
            answered_at=None,
            answered_by=None,
            preview=approval.preview,
            expires_at=approval.expires_at,
            fallback=approval.fallback,
            on_deny=approval.on_deny,
            reason=None,
        )

    def open(self) -> list[Approval]:
        """Unanswered, oldest first."""
        return [_approval(row) for row in self._session.all(q.OPEN)]

    def of(self, run_id: str) -> list[Approval]:
        """Those of a run, oldest first."""
        return [_approval(row) for row in self._session.all(q.OF, run_id=run_id)]

    def answer(
        self, run_id: str, step_id: str, answer: str, by: str, now: Micros, *, reason: str | None = None
    ) -> bool:
        """Answer an open one whose time is not over; False when it is not so."""
        changed = self._session.change(
            q.ANSWER, run_id=run_id, step_id=step_id, given=answer, by=by, now=now, why=reason
        )
        return changed == 1

    def expired(self, now: Micros, limit: int) -> list[Approval]:
        """Open ones whose time is over, the earliest first."""
        return [_approval(row) for row in self._session.all(q.EXPIRED, now=now, limit=limit)]

    def next_expiry(self) -> Micros | None:
        """When the time of the next open one is over."""
        found: Micros | None = self._session.value(q.NEXT_EXPIRY)
        return found

    def expire(self, run_id: str, step_id: str, by: str) -> bool:
        """Give an open one its fallback for an answer, at the moment when its time was over; False when it is not open."""
        return self._session.change(q.EXPIRE, run_id=run_id, step_id=step_id, by=by) == 1

    def withdraw(self, run_id: str, now: Micros) -> None:
        """The run ended: its open questions are cancelled."""
        self._session.change(q.WITHDRAW, run_id=run_id, now=now)


def _approval(row: Row) -> Approval:
    run_id, step_id, kind, question, asked_at, job_id, choices, state, *rest = row
    answer, answered_at, answered_by, preview, expires_at, fallback, on_deny, reason = rest
    return Approval(
        run_id,
        step_id,
        kind,
        question,
        asked_at,
        job_id,
        tuple(json.loads(choices)),
        ApprovalState(state),
        answer,
        answered_at,
        answered_by,
        preview,
        expires_at,
        fallback,
        None if on_deny is None else OnDeny(on_deny),
        reason,
    )
