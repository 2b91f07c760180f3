"""Messages until they are delivered."""

from __future__ import annotations

from sqlalchemy import delete, null, select, update

from rota.model.instants import Micros
from rota.model.message import Message, MessageState
from rota.store.schema import outbox
from rota.store.sql import (
    Row,
    Session,
    Statement,
    constant,
    constants,
    from_json,
    here,
    insert_new,
    param,
    to_json,
)

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

_ADD = Statement(lambda: insert_new(outbox))
DUE = Statement(
    lambda: (
        _SELECT.where(_IS_PENDING, _o.not_before <= param("now"))
        .order_by(_o.created_at, _o.key)
        .limit(param("limit"))
    )
)
NEXT_DUE = Statement(
    lambda: select(_o.not_before).where(here(outbox), _IS_PENDING).order_by(_o.not_before).limit(constant(1))
)
_CLAIM = Statement(
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
_SENT = Statement(
    lambda: (
        update(outbox)
        .where(here(outbox), _OF_KEY)
        .values(state=constant(MessageState.SENT), sent_at=param("now"), error=null())
    )
)
_RETRY = Statement(
    lambda: (
        update(outbox)
        .where(here(outbox), _OF_KEY, _IS_SENDING)
        .values(state=constant(MessageState.PENDING), error=param("problem"), not_before=param("next_try"))
    )
)
_FAILED = Statement(
    lambda: (
        update(outbox)
        .where(here(outbox), _OF_KEY, _o.state != constant(MessageState.SENT))
        .values(state=constant(MessageState.FAILED), error=param("problem"))
    )
)
REOPEN = Statement(
    lambda: (
        update(outbox)
        .where(here(outbox), _IS_SENDING, _o.claimed_at < param("stale_before"))
        .values(state=constant(MessageState.PENDING), not_before=param("now"))
    )
)
_LATEST = _SELECT.order_by(_o.created_at.desc(), _o.key.desc()).limit(param("limit"))
RECENT = Statement(lambda: _LATEST)
RECENT_OF_RUN = Statement(lambda: _LATEST.where(_o.run_id == param("run_id")))
_PRUNE = Statement(
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


class Outbox:
    """The verbs of `ports.store.OutboxTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, message: Message) -> bool:
        """Insert; False when the key is there already."""
        return (
            self._session.change(
                _ADD,
                key=message.key,
                channel=message.channel,
                body=message.body,
                created_at=message.created_at,
                title=message.title,
                config=to_json(message.config),
                job_id=message.job_id,
                run_id=message.run_id,
                state=message.state,
                attempts=message.attempts,
                not_before=message.not_before,
                claimed_at=None,
                sent_at=message.sent_at,
                error=message.error,
            )
            == 1
        )

    def due(self, now: Micros, limit: int) -> list[Message]:
        """Pending ones whose `not_before` has come, oldest first."""
        return [_message(row) for row in self._session.all(DUE, now=now, limit=limit)]

    def next_due(self) -> Micros | None:
        """The soonest `not_before` of the pending ones."""
        instant: Micros | None = self._session.value(NEXT_DUE)
        return instant

    def claim(self, key: str, now: Micros) -> Message | None:
        """pending -> sending with attempts + 1; None when another was first."""
        row = self._session.one(_CLAIM, message=key, now=now)
        return None if row is None else _message(row)

    def sent(self, key: str, now: Micros) -> None:
        """Delivered."""
        self._session.change(_SENT, message=key, now=now)

    def retry(self, key: str, error: str, not_before: Micros) -> None:
        """Back to pending."""
        self._session.change(_RETRY, message=key, problem=error, next_try=not_before)

    def failed(self, key: str, error: str, now: Micros) -> None:  # noqa: ARG002 - the contract's
        """Given up."""
        self._session.change(_FAILED, message=key, problem=error)

    def reopen(self, now: Micros, stale_before: Micros) -> int:
        """Messages that a dead process left in `sending` (claimed before `stale_before`): pending again."""
        return self._session.change(REOPEN, now=now, stale_before=stale_before)

    def recent(self, *, run_id: str | None = None, limit: int = 50) -> list[Message]:
        """Latest first."""
        if run_id is None:
            rows = self._session.all(RECENT, limit=limit)
        else:
            rows = self._session.all(RECENT_OF_RUN, run_id=run_id, limit=limit)
        return [_message(row) for row in rows]

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` messages, sent or given up, that are older than that; how many."""
        return self._session.change(_PRUNE, older_than=older_than, limit=limit)


def _message(row: Row) -> Message:
    key, channel, body, created_at, title, config, job_id, run_id, state, *rest = row
    return Message(
        key, channel, body, created_at, title, from_json(config), job_id, run_id, MessageState(state), *rest
    )
