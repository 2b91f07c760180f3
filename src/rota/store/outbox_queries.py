"""The statements of `outbox.py`."""

from __future__ import annotations

from sqlalchemy import delete, null, select, update

from rota.model.message import MessageState
from rota.store.core import constant, constants, here, insert_new, param, statement
from rota.store.schema import outbox

_o = outbox.c
_OF_KEY = _o.key == param("message")
_IS_PENDING = _o.state == constant(MessageState.PENDING)
_IS_SENDING = _o.state == constant(MessageState.SENDING)
_COLUMNS = (
    _o.key,
    _o.channel,
    _o.body,
    _o.created_at,
    _o.title,
    _o.config,
    _o.job_id,
    _o.run_id,
    _o.state,
    _o.attempts,
    _o.not_before,
    _o.sent_at,
    _o.error,
)
_SELECT = select(*_COLUMNS).where(here(outbox))

ADD = statement(lambda: insert_new(outbox))
DUE = statement(
    lambda: (
        _SELECT.where(_IS_PENDING, _o.not_before <= param("now"))
        .order_by(_o.created_at, _o.key)
        .limit(param("limit"))
    )
)
NEXT_DUE = statement(
    lambda: select(_o.not_before).where(here(outbox), _IS_PENDING).order_by(_o.not_before).limit(constant(1))
)
CLAIM = statement(
    lambda: (
        update(outbox)
        .where(here(outbox), _OF_KEY, _IS_PENDING)
        .values(
            state=constant(MessageState.SENDING), attempts=_o.attempts + constant(1), claimed_at=param("now")
        )
        .returning(*_COLUMNS)
    )
)
# Without a condition on the state: what was delivered is not to be sent again, whoever reopened it.
SENT = statement(
    lambda: (
        update(outbox)
        .where(here(outbox), _OF_KEY)
        .values(state=constant(MessageState.SENT), sent_at=param("now"), error=null())
    )
)
RETRY = statement(
    lambda: (
        update(outbox)
        .where(here(outbox), _OF_KEY, _IS_SENDING)
        .values(state=constant(MessageState.PENDING), error=param("problem"), not_before=param("next_try"))
    )
)
FAILED = statement(
    lambda: (
        update(outbox)
        .where(here(outbox), _OF_KEY, _o.state != constant(MessageState.SENT))
        .values(state=constant(MessageState.FAILED), error=param("problem"))
    )
)
REOPEN = statement(
    lambda: (
        update(outbox)
        .where(here(outbox), _IS_SENDING, _o.claimed_at < param("stale_before"))
        .values(state=constant(MessageState.PENDING), not_before=param("now"))
    )
)
_LATEST = _SELECT.order_by(_o.created_at.desc(), _o.key.desc()).limit(param("limit"))
RECENT = statement(lambda: _LATEST)
RECENT_OF_RUN = statement(lambda: _LATEST.where(_o.run_id == param("run_id")))
PRUNE = statement(
    lambda: delete(outbox).where(
        here(outbox),
        _o.key.in_(
            select(_o.key)
            .where(
                here(outbox),
                _o.created_at < param("older_than"),
                _o.state.in_(constants(MessageState.SENT, MessageState.FAILED)),
            )
            .order_by(_o.created_at)
            .limit(param("limit"))
        ),
    )
)
