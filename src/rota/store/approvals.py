"""Questions that runs wait on."""

from __future__ import annotations

import json

from sqlalchemy import select, update

from rota.model.instants import Micros
from rota.model.message import Approval, ApprovalState
from rota.store.schema import approvals
from rota.store.sql import Row, Session, Statement, columns, constant, here, list_to_json, param, upsert

_a = approvals.c
_OF_RUN = _a.run_id == param("run_id")
_IS_OPEN = _a.state == constant(ApprovalState.OPEN)
_SELECT = select(*columns(approvals)).where(here(approvals))

_ASK = Statement(lambda: upsert(approvals))
OPEN = Statement(lambda: _SELECT.where(_IS_OPEN).order_by(_a.asked_at, _a.run_id, _a.step_id))
_OF = Statement(lambda: _SELECT.where(_OF_RUN).order_by(_a.asked_at, _a.step_id))
_ANSWER = Statement(
    lambda: (
        update(approvals)
        .where(here(approvals), _OF_RUN, _a.step_id == param("step_id"), _IS_OPEN)
        .values(
            state=constant(ApprovalState.ANSWERED),
            answer=param("given"),
            answered_at=param("now"),
            answered_by=param("by"),
        )
    )
)
_WITHDRAW = Statement(
    lambda: (
        update(approvals)
        .where(here(approvals), _OF_RUN, _IS_OPEN)
        .values(state=constant(ApprovalState.CANCELLED), answered_at=param("now"))
    )
)


class Approvals:
    """The verbs of `ports.store.ApprovalsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(self, approval: Approval) -> None:
        """Insert or reopen by (run, step)."""
        self._session.change(
            _ASK,
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
        return [_approval(row) for row in self._session.all(OPEN)]

    def of(self, run_id: str) -> list[Approval]:
        """Those of a run, oldest first."""
        return [_approval(row) for row in self._session.all(_OF, run_id=run_id)]

    def answer(self, run_id: str, step_id: str, answer: str, by: str, now: Micros) -> bool:
        """Answer an open one; False when it is not open."""
        return (
            self._session.change(_ANSWER, run_id=run_id, step_id=step_id, given=answer, by=by, now=now) == 1
        )

    def withdraw(self, run_id: str, now: Micros) -> None:
        """The run ended: its open questions are cancelled."""
        self._session.change(_WITHDRAW, run_id=run_id, now=now)


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
