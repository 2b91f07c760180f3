"""The statements of `approvals.py`."""

from __future__ import annotations

from sqlalchemy import or_, select, update

from rota.model.message import ApprovalState
from rota.store.core import columns, constant, here, param, statement, upsert
from rota.store.schema import approvals

_a = approvals.c
_OF_RUN = _a.run_id == param("run_id")
_OF_STEP = _a.step_id == param("step_id")
_IS_OPEN = _a.state == constant(ApprovalState.OPEN)
_SELECT = select(*columns(approvals)).where(here(approvals))

ASK = statement(lambda: upsert(approvals))
OPEN = statement(lambda: _SELECT.where(_IS_OPEN).order_by(_a.asked_at, _a.run_id, _a.step_id))
OF = statement(lambda: _SELECT.where(_OF_RUN).order_by(_a.asked_at, _a.step_id))
ANSWER = statement(
    lambda: (
        update(approvals)
        .where(
            here(approvals),
            _OF_RUN,
            _OF_STEP,
            _IS_OPEN,
            or_(_a.expires_at.is_(None), _a.expires_at > param("now")),
        )
        .values(
            state=constant(ApprovalState.ANSWERED),
            answer=param("given"),
            answered_at=param("now"),
            answered_by=param("by"),
            reason=param("why"),
        )
    )
)
EXPIRED = statement(
    lambda: (
        _SELECT.where(_IS_OPEN, _a.expires_at <= param("now"))
        .order_by(_a.expires_at, _a.run_id, _a.step_id)
        .limit(param("limit"))
    )
)
NEXT_EXPIRY = statement(
    lambda: (
        select(_a.expires_at)
        .where(here(approvals), _IS_OPEN, _a.expires_at.is_not(None))
        .order_by(_a.expires_at)
        .limit(constant(1))
    )
)
EXPIRE = statement(
    lambda: (
        update(approvals)
        .where(here(approvals), _OF_RUN, _OF_STEP, _IS_OPEN)
        .values(
            state=constant(ApprovalState.EXPIRED),
            answer=_a.fallback,
            answered_at=_a.expires_at,
            answered_by=param("by"),
        )
    )
)
WITHDRAW = statement(
    lambda: (
        update(approvals)
        .where(here(approvals), _OF_RUN, _IS_OPEN)
        .values(state=constant(ApprovalState.CANCELLED), answered_at=param("now"))
    )
)
