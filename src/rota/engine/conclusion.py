"""How a run ends or comes to wait, and all that is written with it in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from rota.engine.chains import followers
from rota.engine.definitions import Definitions
from rota.engine.environment import merged_values
from rota.engine.notices import Situation, notices
from rota.engine.queueing import queue
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.job import Job
from rota.model.ledger import Event
from rota.model.message import Message
from rota.model.run import STEP_FINAL, Reason, Run, RunState, StepRun, StepState
from rota.ports.store import Tx

log = structlog.get_logger("rota.conclusion")


@dataclass(frozen=True)
class Ending:
    """Where the run goes. `not_before`: for a waiting one that takes itself up again."""

    state: RunState
    reason: Reason
    not_before: Micros | None = None


def ending_of(job: Job, steps: Mapping[str, StepRun]) -> Ending:
    """What the steps' states make of the run."""
    ordered = sorted(steps.values(), key=lambda s: s.index)
    waiting = [step for step in ordered if step.state is StepState.WAITING]
    if waiting:
        timed = [step for step in waiting if step.retry_at is not None]
        if timed:
            soonest = min(timed, key=lambda s: s.retry_at or 0)
            why = soonest.reason.text if soonest.reason else "it failed"
            text = f"step `{soonest.step_id}` is tried again (attempt {soonest.attempts} failed: {why})"
            return Ending(RunState.WAITING, Reason("retry", text), soonest.retry_at)
        return Ending(RunState.WAITING, _of_step(waiting[0]))
    tolerant = {step.id for step in job.steps if step.continue_on_error}
    for state, result in (
        (StepState.FAILED, RunState.FAILED),
        (StepState.CANCELLED, RunState.CANCELLED),
        (StepState.INTERRUPTED, RunState.INTERRUPTED),
    ):
        for step in ordered:
            if step.state is state and step.step_id not in tolerant:
                return Ending(result, _of_step(step))
    for step in ordered:
        if step.state not in STEP_FINAL:  # nothing to wait for, and nothing that would ever start it
            return Ending(RunState.FAILED, Reason("stuck", f"step `{step.step_id}` could never start"))
    return Ending(RunState.SUCCEEDED, Reason("done", "every step is done"))


def _of_step(step: StepRun) -> Reason:
    reason = step.reason or Reason("unknown", "no reason was recorded")
    return Reason(reason.code, f"step `{step.step_id}`: {reason.text}")


def conclude(
    tx: Tx,
    *,
    run: Run,
    job: Job,
    steps: Mapping[str, StepRun],
    ending: Ending,
    previous: Run | None,
    values: Mapping[str, Any],
    config: WorkspaceConfig,
    definitions: Definitions,
    now: Micros,
) -> None:
    """Write the ending: the run, its messages, its followers, its event."""
    if ending.state is RunState.WAITING:
        now_known = tx.runs.get(run.id)
        if now_known is not None and now_known.cancel_requested:  # asked for while its last step ran
            ending = Ending(RunState.CANCELLED, Reason("cancelled", "cancelled on request"))
    if ending.state is RunState.WAITING:
        tx.runs.release(run, now, ending.reason, state=RunState.WAITING, not_before=ending.not_before)
    else:
        tx.runs.finish(run, ending.state, ending.reason, now, outputs_of(steps))
        tx.approvals.withdraw(run.id, now)
    situation = Situation(
        job=job,
        run=run,
        state=ending.state,
        reason=ending.reason,
        values={**merged_values(steps), **values},
        config=config,
        now=now,
        previous=previous,
        question=_question(steps) if ending.state is RunState.WAITING and ending.not_before is None else None,
    )
    for message in _composed(situation):
        tx.outbox.add(message)
    tx.events.append(Event(f"run_{ending.state.value}", now, job.id, run.id, {"reason": ending.reason.code}))
    if ending.state is RunState.WAITING:
        return
    for call in followers(tx, run, ending.state, outputs=outputs_of(steps), definitions=definitions, now=now):
        queue(tx, call, now)
    if ending.state is RunState.FAILED and 0 < config.max_failures <= tx.runs.failures_in_a_row(job.id):
        text = f"{config.max_failures} runs in a row failed"
        if tx.jobs.pause(job.id, text, now):
            tx.events.append(Event("job_paused", now, job.id, run.id, {"reason": text}))


def _question(steps: Mapping[str, StepRun]) -> str:
    """Names what the run waits for, now: the step, and how often it was tried."""
    ordered = sorted(steps.values(), key=lambda s: s.index)
    waiting = next(step for step in ordered if step.state is StepState.WAITING)
    return f"{waiting.step_id}.{waiting.attempts}"


def _composed(situation: Situation) -> list[Message]:
    """The messages; one that cannot be made must not undo the end of the run."""
    try:
        return notices(situation)
    except Exception:
        log.exception("notifications_not_composed", job=situation.job.id, run=situation.run.id)
        return []


def outputs_of(steps: Mapping[str, StepRun]) -> dict[str, Any]:
    """What a run leaves for those who look at it or follow it: the last output, and the names put out."""
    done = [s for s in sorted(steps.values(), key=lambda s: s.index) if s.state is StepState.SUCCEEDED]
    return {"output": done[-1].output if done else "", "values": merged_values(steps)}
