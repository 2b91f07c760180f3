"""Messages until they are delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rota.model.instants import Micros
from rota.model.message import Message, MessageState
from rota.store.sql import Row, Session, from_json, to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import outbox_queries as q
else:
    q = queries("outbox_queries")


class Outbox:
    """The verbs of `ports.store.OutboxTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, message: Message) -> bool:
        """Insert; False when the key is there already."""
        return (
            self._session.change(
                q.ADD,
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
        return [_message(row) for row in self._session.all(q.DUE, now=now, limit=limit)]

    def next_due(self) -> Micros | None:
        """The soonest `not_before` of the pending ones."""
        instant: Micros | None = self._session.value(q.NEXT_DUE)
        return instant

    def claim(self, key: str, now: Micros) -> Message | None:
        """pending -> sending with attempts + 1; None when another was first."""
        row = self._session.one(q.CLAIM, message=key, now=now)
        return None if row is None else _message(row)

    def sent(self, key: str, now: Micros) -> None:
        """Delivered."""
        self._session.change(q.SENT, message=key, now=now)

    def retry(self, key: str, error: str, not_before: Micros) -> None:
        """Back to pending."""
        self._session.change(q.RETRY, message=key, problem=error, next_try=not_before)

    def failed(self, key: str, error: str, now: Micros) -> None:  # noqa: ARG002 - the contract's
        """Given up."""
        self._session.change(q.FAILED, message=key, problem=error)

    def reopen(self, now: Micros, stale_before: Micros) -> int:
        """Messages that a dead process left in `sending` (claimed before `stale_before`): pending again."""
        return self._session.change(q.REOPEN, now=now, stale_before=stale_before)

    def recent(self, *, run_id: str | None = None, limit: int = 50) -> list[Message]:
        """Latest first."""
        if run_id is None:
            rows = self._session.all(q.RECENT, limit=limit)
        else:
            rows = self._session.all(q.RECENT_OF_RUN, run_id=run_id, limit=limit)
        return [_message(row) for row in rows]

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` messages, sent or given up, that are older than that; how many."""
        return self._session.change(q.PRUNE, older_than=older_than, limit=limit)


def _message(row: Row) -> Message:
    key, channel, body, created_at, title, config, job_id, run_id, state, *rest = row
    return Message(
        key, channel, body, created_at, title, from_json(config), job_id, run_id, MessageState(state), *rest
    )
