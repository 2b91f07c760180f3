"""What a try of a step makes of the step: finished, waiting for another try, or for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rota.engine.questions import messages_of, question_of
from rota.engine.retries import wait_after
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros, micros
from rota.model.job import Job, Step
from rota.model.message import Approval, Message
from rota.model.run import Run, StepRun, StepState
from rota.ports.steps import Done, StepResult, Waiting


@dataclass(frozen=True)
class Outcome:
    """The step's state after a try, with the question that it asks and the messages that tell of that."""

    step: StepRun
    question: Approval | None = None
    messages: Sequence[Message] = ()


def outcome_of(
    result: StepResult,
    begun: StepRun,
    *,
    step: Step,
    job: Job,
    run: Run,
    values: Mapping[str, Any],
    config: WorkspaceConfig,
    now: Micros,
) -> Outcome:
    """Decide. `values`: what the messages' templates see."""
    if isinstance(result, Done):
        done = replace(begun, state=StepState.SUCCEEDED, output=result.output, values=dict(result.values))
        return Outcome(done)
    if isinstance(result, Waiting):
        question = question_of(result, begun, job, now)
        told = messages_of(
            question, result.notify, run=run, job=job, attempt=begun.attempts, values=values, config=config
        )
        return Outcome(replace(begun, state=StepState.WAITING, reason=result.reason), question, told)
    wait = wait_after(step.retry or job.retry, begun.attempts, result)
    failed = replace(begun, reason=result.reason, output=result.output, values=dict(result.values))
    if wait is None:
        return Outcome(replace(failed, state=StepState.FAILED))
    return Outcome(replace(failed, state=StepState.WAITING, retry_at=now + micros(wait)))
