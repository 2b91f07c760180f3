"""Trying again: a step after a failed try, and a whole run (`retry_run:`) after it has failed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from rota.engine.conditions import through_gates
from rota.engine.queueing import Call, at_rest, queue
from rota.model.failures import Failure
from rota.model.instants import Micros, micros
from rota.model.job import Job, Overlap, Retry
from rota.model.ledger import JobRecord, Outcome
from rota.model.run import RETRY, Reason, Run, RunState, StepRun, StepState
from rota.planning.retry import attempt_of, delay, is_wanted, key_of
from rota.ports.steps import Failed
from rota.ports.store import Tx


def wait_after(retry: Retry, attempt: int, result: Failed) -> float | None:
    """Seconds until a step is tried again after its try number `attempt`; None: it is not."""
    failure = Failure(result.reason.code, result.exit_code, _status(result.reason, result.values))
    if not result.retry or not is_wanted(retry, failure):
        return None
    return delay(retry, attempt, random.random(), result.retry_after)


def tried_again(
    tx: Tx, *, run: Run, job: Job, steps: Mapping[str, StepRun], reason: Reason, now: Micros
) -> bool:
    """Queue another attempt at a run that has failed with `reason`; whether there is to be one.

    It is in the transaction that ends the run, so no crash comes between. Where the job is paused,
    disabled or removed the ledger says so, and the attempt that failed was the last.
    """
    first, number = attempt_of(run)
    failure = _failure_of(tx, run, job, steps, reason)
    if failure.permanent or not is_wanted(job.retry_run, failure):
        return False
    wait = delay(job.retry_run, number, random.random())
    record = tx.jobs.get(job.id)
    if wait is None or record is None:
        return False
    text = f"attempt {number + 1} of {job.retry_run.attempts} after run {run.id} failed ({reason.text})"
    call = Call(
        # The run that failed had its place: `overlap` has judged this occurrence already.
        job=replace(job, overlap=Overlap.ALLOW),
        definition=run.definition,
        trigger_id=RETRY,
        due_at=now + micros(wait),
        reason=Reason("retry", text),
        key=key_of(first, number + 1),
        inputs=run.inputs,
        wait=micros(wait),
        wait_reason=Reason("retry", text),
    )
    off = _off(record)
    if off is not None:
        call = replace(call, verdict=Outcome.SKIPPED, reason=Reason(off.code, f"{off.text}: no {text}"))
    again, _ = queue(tx, through_gates(call, record.timezone, now), now)
    return again is not None


def called_off(tx: Tx, run: Run) -> bool:
    """End a waiting attempt whose job was paused, disabled or removed meanwhile; whether that was so."""
    if run.trigger_id != RETRY or run.started_at is not None:
        return False
    record = tx.jobs.get(run.job_id)
    off = None if record is None else _off(record)
    if off is not None:
        tx.runs.request_cancel(run.id, off)
    return off is not None


def told_before(tx: Tx, run: Run, previous: Run | None) -> Run | None:
    """The run before this one whose end was told: not an earlier attempt at the same, which was not."""
    first, number = attempt_of(run)
    if number == 1:
        return previous
    ended = tx.runs.recent(job_id=run.job_id, states=[RunState.SUCCEEDED, RunState.FAILED], limit=number + 20)
    return next((other for other in ended if attempt_of(other)[0] != first), None)


def _off(record: JobRecord) -> Reason | None:
    """Why nothing of the job starts by itself; None where it does."""
    if record.removed_at is not None:
        return Reason("removed", "the job was removed")
    return at_rest(record)


def _failure_of(tx: Tx, run: Run, job: Job, steps: Mapping[str, StepRun], reason: Reason) -> Failure:
    """The run's failure, with the numbers of the step that it comes from."""
    tolerant = {step.id for step in job.steps if step.continue_on_error}
    for step in sorted(steps.values(), key=lambda s: s.index):
        failed = step.state is StepState.FAILED and step.step_id not in tolerant
        if failed and step.reason is not None and step.reason.code == reason.code:
            tries = tx.runs.attempts(run.id, step.step_id)
            code = tries[-1].exit_code if tries else None
            return Failure(reason.code, code, _status(reason, step.values))
    return Failure(reason.code)


def _status(reason: Reason, values: Mapping[str, object]) -> int | None:
    """The HTTP status that a step failed with."""
    status = values.get("status")
    return status if reason.code == "http_status" and isinstance(status, int) else None
