"""From an occurrence to its ledger row and its run: the one place where both are written."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rota.model.ids import RunIds
from rota.model.instants import Micros
from rota.model.job import Job, Overlap
from rota.model.ledger import Event, JobRecord, Occurrence, Outcome
from rota.model.run import Reason, Run, RunState
from rota.planning.overlap import admit
from rota.ports.bulk import NewRun
from rota.ports.store import Tx

IDS = RunIds(secrets.randbits)
_encode = json.JSONEncoder(separators=(",", ":")).encode
JITTER = Reason("jitter", "spread by jitter")
SPREAD = Reason("spread", "spread: catching up")
# More than the priorities of two jobs (-1000 to 1000) can differ by.
BEHIND = 2001
# The triggers of the runs that a person starts.
MANUAL, RERUN = "manual", "rerun"
BY_HAND = frozenset({MANUAL, RERUN})


@dataclass(frozen=True)
class Call:
    """A trigger's call for a run. `key` None: the run's own id (a manual run has no other).

    `verdict` other than RAN: only the ledger row is written. `wait`: microseconds until the run may
    start. `definition`: hash of the job's definition. `behind`: its run goes after all that is due now.
    `makes_up`: its run may take the place of an outcome other than RAN that the ledger has for this occurrence.
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
    behind: bool = False
    makes_up: bool = False


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
    key = call.key or (run.id if run is not None else IDS.new(now))
    occurrence = _occurrence(call, now, key, (outcome, reason), run)
    made_up = call.makes_up and run is not None
    if not tx.ledger.add(occurrence) and not (made_up and tx.ledger.amend(occurrence)):
        return None, Reason("known", "this occurrence is in the ledger already")
    if run is None:
        kind = f"occurrence_{outcome.value}"
        tx.events.append(Event(kind, now, call.job.id, None, {"key": key, "reason": reason.code}))
        return None, reason
    for other in cancel:
        words = f"a later run was due ({run.id}), and overlap is cancel-running"
        tx.runs.request_cancel(other, Reason("overlap", words))
    tx.runs.add(run)
    tx.events.append(Event("run_queued", now, call.job.id, run.id, {"key": key}))
    return run, reason


def queue_all(tx: Tx, calls: Sequence[Call], now: Micros) -> list[Run]:
    """`queue` for many calls; their runs, a microsecond apart, so that they start in this order.

    The runs that no other run is in the way of are written at once.
    """
    free = [call for call in calls if call.verdict is Outcome.RAN]
    busy = tx.bulk.busy(sorted({call.job.id for call in free if call.job.overlap is not Overlap.ALLOW}))
    runs: list[Run] = []
    together: dict[str, Run] = {}
    rows: list[NewRun] = []
    one_by_one: list[tuple[Call, Micros]] = []
    for place, call in enumerate(calls):
        if call.verdict is not Outcome.RAN or (call.job.id in busy and call.job.overlap is not Overlap.ALLOW):
            one_by_one.append((call, now + place))
            continue
        if call.job.overlap is not Overlap.ALLOW:
            busy.add(call.job.id)  # the next one of the same job finds this one in its way
        run = _run(call, now + place)
        together[run.id] = run
        rows.append(_row(call, run, now, _encode(run.inputs)))
    if rows:
        added = tx.bulk.queue(rows)
        runs += [run for run_id, run in together.items() if run_id in added]
    for call, instant in one_by_one:
        run_or_none, _ = queue(tx, call, instant)
        if run_or_none is not None:
            runs.append(run_or_none)
    return runs


def new_runs(calls: Sequence[Call], now: Micros) -> list[NewRun]:
    """The runs of calls that no other run is in the way of, for `tx.bulk.queue`; a microsecond apart."""
    runs = [_run(call, now + place) for place, call in enumerate(calls)]
    # What many are given is one and the same, and need not be encoded for each.
    given = {id(run.inputs): run.inputs for run in runs}
    texts = {identity: _encode(inputs) for identity, inputs in given.items()}
    return [_row(call, run, now, texts[id(run.inputs)]) for call, run in zip(calls, runs, strict=True)]


def _row(call: Call, run: Run, now: Micros, inputs: str) -> NewRun:
    return NewRun(
        run.id, run.job_id, run.trigger_id, run.occurrence_key or run.id, call.due_at, now, call.verdict.value, call.reason.code,
        call.reason.text, call.until, call.count, run.state.value, run.definition, run.queued_at, run.reason.code,
        run.reason.text, inputs, run.group, run.priority, run.not_before,
    )  # fmt: skip


def join(tx: Tx, call: Call, run_id: str, now: Micros) -> None:
    """Write the occurrence of a call that a run which has not started yet is for, too."""
    occurrence = _occurrence(call, now, call.key or run_id, (call.verdict, call.reason), None)
    tx.ledger.add(replace(occurrence, run_id=run_id))


def _occurrence(
    call: Call, now: Micros, key: str, ended: tuple[Outcome, Reason], run: Run | None
) -> Occurrence:
    outcome, reason = ended
    return Occurrence(
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


def cancel_unstarted(tx: Tx, job_id: str, reason: Reason, *, by_hand: bool = False) -> None:
    """Ask for the end of a job's runs that have not started; of those that a person started only where `by_hand`."""
    for run in tx.runs.active(job_id):
        if run.started_at is None and (by_hand or run.trigger_id not in BY_HAND):
            tx.runs.request_cancel(run.id, reason)


def was_called_off(run: Run, reason: Reason) -> bool:
    """Whether a run ends before it began since its job starts nothing any more: an occurrence like any other skipped."""
    return run.started_at is None and reason.code in {"paused", "disabled", "removed"}


def at_rest(record: JobRecord) -> Reason | None:
    """Why no trigger starts this job at present."""
    if record.paused_at is not None:
        return Reason("paused", "the job was paused")
    return None if record.enabled else Reason("disabled", "the job was disabled (`enabled: false`)")


def default_params(job: Job) -> dict[str, Any]:
    """The parameters of a run that nobody gave any."""
    return {param.name: param.default for param in job.params if param.default is not None}


def _run(call: Call, now: Micros) -> Run:
    identity = IDS.new(now)
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
        inputs=call.inputs
        if "params" in call.inputs
        else {"params": default_params(call.job), **call.inputs},
        group=None if call.job.concurrency is None else call.job.concurrency.group,
        priority=call.job.priority - (BEHIND if call.behind else 0),
    )
