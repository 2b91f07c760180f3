"""How a run ends or comes to wait, and all that is written with it in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rota.engine.chains import followers
from rota.engine.definitions import Definitions
from rota.engine.environment import merged_values
from rota.engine.notices import Situation, notices
from rota.engine.overspend import noted, tell
from rota.engine.pausing import pause_after_failures
from rota.engine.questions import is_answered
from rota.engine.queueing import queue, was_called_off
from rota.engine.retries import told_before, tried_again
from rota.model.budget import BUDGET
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.job import Job
from rota.model.ledger import Event, Outcome
from rota.model.message import Message
from rota.model.run import FINAL, STEP_FINAL, Reason, Run, RunState, StepRun, StepState
from rota.planning.graph import closed
from rota.ports.logger import Logger
from rota.ports.store import Tx

log = Logger("rota.conclusion")


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
    ending = _unless_cancelled(tx, run, ending)
    if ending.state is RunState.WAITING and is_answered(tx, run, steps):
        tx.runs.release(run, now, Reason("answered", "a step has its answer"))
        return
    if ending.state is RunState.CANCELLED:
        steps = _close_steps(tx, run, job, steps, reason=ending.reason, now=now)
    if ending.state is RunState.WAITING:
        tx.runs.release(run, now, ending.reason, state=RunState.WAITING, not_before=ending.not_before)
    else:
        finish(tx, run, ending, outputs_of(steps), now=now)
    again = ending.state is RunState.FAILED and tried_again(
        tx, run=run, job=job, steps=steps, reason=ending.reason, now=now
    )
    if again or was_called_off(run, ending.reason):  # nobody is told, and nothing follows
        tx.events.append(
            Event(f"run_{ending.state.value}", now, job.id, run.id, {"reason": ending.reason.code})
        )
        return
    over = noted(tx, run, job, config) if ending.state in FINAL else ()
    situation = Situation(
        job=job,
        run=run,
        state=ending.state,
        reason=ending.reason,
        values={**merged_values(steps), **values},
        config=config,
        now=now,
        previous=told_before(tx, run, previous),
        question=_question(steps) if ending.state is RunState.WAITING and ending.not_before is None else None,
        over_budget=bool(over) and ending.reason.code == BUDGET,
    )
    for message in _composed(situation):
        tx.outbox.add(message)
    tx.events.append(Event(f"run_{ending.state.value}", now, job.id, run.id, {"reason": ending.reason.code}))
    if ending.state is RunState.WAITING:
        return
    outputs, place = outputs_of(steps), values["workspace"]
    for call in followers(
        tx, run, ending.state, outputs=outputs, definitions=definitions, now=now, workspace=place
    ):
        queue(tx, call, now)
    pause_after_failures(tx, situation)
    tell(tx, situation, over)


def _unless_cancelled(tx: Tx, run: Run, ending: Ending) -> Ending:
    """The ending, but where the run would wait though its end was asked for while its last step ran."""
    if ending.state is not RunState.WAITING:
        return ending
    known = tx.runs.get(run.id)
    return ending if known is None or not known.cancel_requested else Ending(RunState.CANCELLED, known.reason)


def finish(tx: Tx, run: Run, ending: Ending, outputs: Mapping[str, Any], *, now: Micros) -> None:
    """Write the run's own end, with that of its questions, and of its occurrence where it never began."""
    tx.runs.finish(run, ending.state, ending.reason, now, outputs)
    tx.approvals.withdraw(run.id, now)
    if run.started_at is None:  # only a cancel ends what never began
        tx.ledger.settle(run.id, Outcome.SKIPPED, _unstarted(ending.reason))


def _close_steps(
    tx: Tx, run: Run, job: Job, steps: Mapping[str, StepRun], *, reason: Reason, now: Micros
) -> Mapping[str, StepRun]:
    """Write the end of the steps that a cancelled run leaves open, and of their tries; all steps, as they are then."""
    ended = closed(job.steps, steps, reason, now)
    for step_id, step in ended.items():
        if step is not steps[step_id]:
            tx.runs.put_step(run, step)
    for attempt in tx.runs.attempts(run.id):
        if attempt.state is StepState.RUNNING:
            tx.runs.put_attempt(
                run, replace(attempt, state=StepState.CANCELLED, finished_at=now, reason=reason)
            )
    return ended


def _unstarted(reason: Reason) -> Reason:
    """What the ledger says of the occurrence of a run that was cancelled before it started."""
    if reason.code != "cancelled":
        return reason
    return Reason(reason.code, f"its run was cancelled before it started ({reason.text})")


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
