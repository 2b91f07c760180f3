"""Questions that runs wait on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.message import Approval, ApprovalState
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
        )

    def open(self) -> list[Approval]:
        """Unanswered, oldest first."""
        return [_approval(row) for row in self._session.all(q.OPEN)]

    def of(self, run_id: str) -> list[Approval]:
        """Those of a run, oldest first."""
        return [_approval(row) for row in self._session.all(q.OF, run_id=run_id)]

    def answer(self, run_id: str, step_id: str, answer: str, by: str, now: Micros) -> bool:
        """Answer an open one; False when it is not open."""
        return (
            self._session.change(q.ANSWER, run_id=run_id, step_id=step_id, given=answer, by=by, now=now) == 1
        )

    def withdraw(self, run_id: str, now: Micros) -> None:
        """The run ended: its open questions are cancelled."""
        self._session.change(q.WITHDRAW, run_id=run_id, now=now)


def _approval(row: Row) -> Approval:
    run_id, step_id, kind, question, asked_at, job_id, choices, state, *answer = row
    return Approval(
        run_id,
        step_id,
        kind,
        question,
        asked_at,
        job_id,
        tuple(json.loads(choices)),
        ApprovalState(state),
        *answer,
    )
