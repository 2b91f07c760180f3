"""From an occurrence to its ledger row and its run: the one place where both are written."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rota.model.ids import run_id as new_run_id
from rota.model.instants import Micros
from rota.model.job import Job
from rota.model.ledger import Event, Occurrence, Outcome
from rota.model.run import Reason, Run, RunState
from rota.planning.overlap import admit
from rota.ports.store import Tx

JITTER = Reason("jitter", "spread by jitter")


@dataclass(frozen=True)
class Call:
    """A trigger's call for a run. `key` None: the run's own id (a manual run has no other).

    `verdict` other than RAN: only the ledger row is written. `wait`: microseconds until the run may
    start. `definition`: hash of the job's definition.
    """

    job: Job
    definition: str
    trigger_id: str
    due_at: Micros
    reason: Reason
    key: str | None = None
    verdict: Outcome = Outcome.RAN
    inputs: Mapping[str, Any] = field(default_factory=dict)
    wait: Micros = 0
    wait_reason: Reason = JITTER
    until: Micros | None = None
    count: int = 1


def queue(tx: Tx, call: Call, now: Micros) -> tuple[Run | None, Reason]:
    """Write the occurrence, and the run if there is to be one; the run, and why (not).

    An occurrence whose key is in the ledger already changes nothing.
    """
    outcome, reason = call.verdict, call.reason
    run: Run | None = None
    cancel: Sequence[str] = ()
    if outcome is Outcome.RAN:
        admission = admit(call.job.overlap, tx.runs.active(call.job.id))
        if admission.reason is not None:
            outcome, reason = Outcome.SKIPPED, admission.reason
        else:
            run, cancel = _run(call, now), admission.cancel
    key = call.key or (run.id if run is not None else new_run_id(now, secrets.randbits))
    occurrence = Occurrence(
        job_id=call.job.id,
        trigger_id=call.trigger_id,
        key=key,
        due_at=call.due_at,
        noticed_at=now,
        outcome=outcome,
        reason=reason,
        run_id=None if run is None else run.id,
        until=call.until,
        count=call.count,
    )
    if not tx.ledger.add(occurrence):
        return None, Reason("known", "this occurrence is in the ledger already")
    if run is None:
        kind = f"occurrence_{outcome.value}"
        tx.events.append(Event(kind, now, call.job.id, None, {"key": key, "reason": reason.code}))
        return None, reason
    for other in cancel:
        words = f"a later run was due ({run.id}), and overlap is cancel-running"
        cancel_run(tx, other, now, Reason("overlap", words))
    tx.runs.add(run)
    tx.events.append(Event("run_queued", now, call.job.id, run.id, {"key": key}))
    return run, reason


def cancel_run(tx: Tx, run_id: str, now: Micros, reason: Reason) -> RunState | None:
    """Ask for a run's end, with all that belongs to it; the state before (None: no such run).

    A running one is told, and its executor writes the rest.
    """
    run = tx.runs.get(run_id)
    before = tx.runs.request_cancel(run_id, now)
    if run is not None and before in {RunState.QUEUED, RunState.WAITING}:
        tx.approvals.withdraw(run_id, now)
        if run.started_at is None:
            tx.ledger.settle(run_id, Outcome.SKIPPED, reason)
        tx.events.append(Event("run_cancelled", now, run.job_id, run_id, {"reason": reason.code}))
    return before


def default_params(job: Job) -> dict[str, Any]:
    """The parameters of a run that nobody gave any."""
    return {param.name: param.default for param in job.params if param.default is not None}


def _run(call: Call, now: Micros) -> Run:
    identity = new_run_id(now, secrets.randbits)
    return Run(
        id=identity,
        job_id=call.job.id,
        state=RunState.WAITING if call.wait else RunState.QUEUED,
        definition=call.definition,
        queued_at=now,
        trigger_id=call.trigger_id,
        occurrence_key=call.key or identity,
        due_at=call.due_at,
        reason=call.wait_reason if call.wait else call.reason,
        not_before=now + call.wait if call.wait else None,
        inputs={"params": default_params(call.job), **call.inputs},
        group=None if call.job.concurrency is None else call.job.concurrency.group,
        priority=call.job.priority,
    )
