"""What came in by webhooks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rota.model.delivery import Delivery, HookCount, Lookup
from rota.model.instants import Micros
from rota.model.ledger import Outcome
from rota.store.sql import Row, Session, from_json, to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import delivery_queries as q
else:
    q = queries("delivery_queries")

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Deliveries:
    """The verbs of `ports.deliveries.DeliveriesTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, deliveries: Sequence[Delivery]) -> None:
        """Insert; a StoreError when a key or an id is there already."""
        if deliveries:
            self._session.change(q.ADD, rows=_encode([_row(one) for one in deliveries]))

    def known(self, wanted: Sequence[Lookup]) -> list[tuple[str | None, str | None] | None]:
        """For each: delivery and run of the first request like it (either None: it is gone); None: there is none."""
        rows = [(one.hook, one.job_id, one.trigger_id, one.key, one.digest, one.since) for one in wanted]
        found: list[tuple[str | None, str | None] | None] = [None] * len(rows)
        for place, delivery_id, run_id, _ in self._session.all(q.KNOWN, rows=_encode(rows)):
            found[place] = (delivery_id, run_id)
        return found

    def find(self, text: str) -> list[Delivery]:
        """Those whose id starts or ends with `text`, latest first, at most 10."""
        literally = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
        return _deliveries(self._session.all(q.FIND, beginning=f"{literally}%", end=f"%{literally}"))

    def of_hook(self, hook: str, limit: int = 50) -> list[Delivery]:
        """Latest first, with how their occurrences ended."""
        return _deliveries(self._session.all(q.OF_HOOK, hook=hook, limit=limit))

    def of_run(self, run_id: str) -> list[Delivery]:
        """Those that a run is for, oldest first."""
        return _deliveries(self._session.all(q.OF_RUN, run_id=run_id))

    def put_off(self, run_id: str, not_before: Micros) -> bool:
        """Have the run that gathers deliveries wait until then; False when it has started, or is to end."""
        return self._session.change(q.PUT_OFF, run_id=run_id, until=not_before) == 1

    def give(self, run_id: str, inputs: Mapping[str, Any]) -> None:
        """Replace the inputs of the run that gathered deliveries; it has not started."""
        self._session.change(q.GIVE, run_id=run_id, gathered=to_json(inputs))

    def counts(self) -> list[HookCount]:
        """By hook."""
        return [HookCount(*row) for row in self._session.all(q.COUNTS)]

    def forget(self, older_than: Micros, limit: int) -> int:
        """Delete headers, query and body of up to `limit` deliveries older than that; how many."""
        return self._session.change(q.FORGET, older_than=older_than, limit=limit)

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` deliveries older than that; how many."""
        return self._session.change(q.PRUNE, older_than=older_than, limit=limit)


def _row(one: Delivery) -> tuple[object, ...]:
    return (
        one.id, one.hook, one.job_id, one.trigger_id, one.key, one.digest, one.client, to_json(one.headers),
        to_json(one.query), one.body, int(one.binary), one.size, one.received_at, one.run_id,
    )  # fmt: skip


def _deliveries(rows: Sequence[Row]) -> list[Delivery]:
    return [_delivery(row) for row in rows]


def _delivery(row: Row) -> Delivery:
    (id_, hook, job_id, trigger_id, key, digest, received_at, client, headers, query, body, binary, size,
     run_id, outcome, reason) = row  # fmt: skip
    return Delivery(
        id_,
        hook,
        job_id,
        trigger_id,
        key,
        digest,
        received_at,
        client,
        from_json(headers),
        from_json(query),
        body,
        bool(binary),
        size,
        run_id,
        None if outcome is None else Outcome(outcome),
        reason or "",
    )
