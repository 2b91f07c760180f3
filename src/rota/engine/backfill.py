"""Runs for moments of the past, as the scheduler would have queued them then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rota.engine.conditions import through_gates, under_condition
from rota.engine.queueing import Call, queue
from rota.model.instants import Micros
from rota.model.job import Job, Overlap, Window
from rota.model.ledger import JobRecord, Outcome
from rota.model.run import Reason, Run
from rota.planning.backfill import Gap
from rota.ports.store import Tx
from rota.schedule import local_time


def call_for(
    tx: Tx,
    gap: Gap,
    *,
    record: JobRecord,
    job: Job,
    params: Mapping[str, Any],
    workspace: Mapping[str, str],
    now: Micros,
) -> Call:
    """The call that makes up for one moment.

    Its verdict is what `if:` and the windows said at that moment; what is closed today puts it off.
    """
    text = f"backfilled on {local_time(now, record.timezone):%a %-d %b %Y}"
    if gap.before is not None:
        text += f"; before: {gap.before.outcome.value} ({gap.before.reason.text})"
    call = Call(
        # One after the other all the same, unless the job allows more: the dispatcher goes by its definition.
        job=replace(job, overlap=Overlap.ALLOW),
        definition=record.hash,
        trigger_id=gap.trigger_id,
        due_at=gap.due_at,
        reason=Reason("backfilled", text),
        key=gap.key,
        inputs={"params": params, "backfill": True},
        behind=True,
        makes_up=True,
    )
    call = under_condition(tx, call, record.timezone, gap.due_at, workspace)
    then = through_gates(call, record.timezone, gap.due_at)
    if then.verdict is not Outcome.RAN:
        return then
    patient = replace(call.job, window=_patient(job.window), not_during=_patient(job.not_during))
    return through_gates(replace(call, job=patient), record.timezone, now)


def make_up(tx: Tx, calls: Sequence[Call], now: Micros) -> list[Run]:
    """Queue them in their order; the runs. A moment that has run meanwhile has none."""
    # A microsecond apart: the queue is in the order of these instants.
    made = [queue(tx, call, now + place)[0] for place, call in enumerate(calls)]
    return [run for run in made if run is not None]


def _patient(window: Window | None) -> Window | None:
    return None if window is None else replace(window, skip=False)
