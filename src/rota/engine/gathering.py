"""Deliveries that wait for others: a burst of them makes one run, with all their payloads (`debounce:`, `batch:`).

The run is there from the first delivery on, waiting, so that it is as safe as any other; each further one
joins it. What came is put together when the run is claimed, in the transaction that claims it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rota.engine.queueing import Call, join, queue
from rota.model.delivery import Delivery
from rota.model.instants import SECOND, Micros
from rota.model.run import Reason, Run
from rota.ports.payloads import payload_of
from rota.ports.store import Tx

# The key of a run's inputs that says that what came is still to be put together.
GATHERS = "gathers"
# Bytes of bodies that one run gets: it is read as a whole.
LARGEST = 8_000_000
# A burst that never ends does not put its run off for ever.
LONGEST_DEBOUNCE = 10
_WAITS = Reason("gathering", "waiting for more deliveries")


@dataclass(frozen=True)
class Gather:
    """Microseconds: `quiet`: a run starts when nothing more came for so long (None: it is not asked for).

    `within`: it starts after so long in any case; `most`: or with so many deliveries.
    """

    quiet: Micros | None
    within: Micros
    most: int

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Gather | None:
        """What a webhook trigger's options ask for; None where each delivery has its own run."""
        debounce, batch = options.get("debounce"), options.get("batch")
        if debounce is None and batch is None:
            return None
        quiet = None if debounce is None else int(debounce * SECOND)
        within = int(batch["within"] * SECOND) if batch else LONGEST_DEBOUNCE * (quiet or 0)
        return cls(quiet, within, batch["max"] if batch else 1000)


def gather(tx: Tx, call: Call, ask: Gather, size: int, now: Micros) -> tuple[str | None, Reason]:
    """Have a run take this delivery along, one that waits or a new one; its id (None: it was skipped), and why."""
    name = f"gathering:{call.job.id}:{call.trigger_id}"
    known = tx.cursors.get(name)
    if known is not None and known["size"] + size <= LARGEST:
        count = known["count"] + 1
        latest = known["since"] + ask.within
        wake = now if count >= ask.most else latest if ask.quiet is None else min(latest, now + ask.quiet)
        if tx.deliveries.put_off(known["run"], wake):
            join(tx, call, known["run"], now)
            full = count >= ask.most
            tx.cursors.put(
                name, None if full else {**known, "count": count, "size": known["size"] + size}, now
            )
            return known["run"], _WAITS
    wait = 0 if ask.most <= 1 else ask.within if ask.quiet is None else min(ask.quiet, ask.within)
    inputs = {**call.inputs, GATHERS: True}
    run, reason = queue(tx, replace(call, inputs=inputs, wait=max(1, wait), wait_reason=_WAITS), now)
    if run is None:
        return None, reason
    tx.cursors.put(name, {"run": run.id, "count": 1, "size": size, "since": now} if wait else None, now)
    return run.id, reason


def gathered(tx: Tx, run: Run) -> Run:
    """The run as it is to be claimed: with what came for it, if it gathered deliveries."""
    if not run.inputs.get(GATHERS):
        return run
    came = tx.deliveries.of_run(run.id)
    inputs = {key: value for key, value in run.inputs.items() if key != GATHERS}
    if came:
        last = came[-1]
        payloads = [payload_of(one.headers.get("content-type", ""), body_of(one)) for one in came]
        inputs |= {"payload": payloads[-1], "payloads": payloads}
        inputs |= {"headers": dict(last.headers), "query": dict(last.query)}
    tx.deliveries.give(run.id, inputs)
    return replace(run, inputs=inputs)


def body_of(delivery: Delivery) -> bytes:
    """The body as it came."""
    return base64.b64decode(delivery.body) if delivery.binary else delivery.body.encode()
