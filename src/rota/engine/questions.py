"""Questions that runs wait on: asked with the messages that tell of them, answered, or over when their time is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from shlex import quote
from typing import Any

from rota.engine.notices import Situation, compose_each, hears_of_errors
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros, micros
from rota.model.job import Job, Notify
from rota.model.ledger import Event
from rota.model.message import APPROVE, DECIDED, DENY, PERMISSION, Approval, ApprovalState, Message, OnDeny
from rota.model.run import Reason, Run, RunState, StepRun, StepState
from rota.planning.graph import followers_of
from rota.ports.steps import Waiting
from rota.ports.store import Tx
from rota.schedule import local_time

# Who answered where nobody did in time.
NOBODY = "nobody"
AT_ONCE = 500  # expired in one transaction
_BEGINNING = 1_000
_MARK = "question"


def question_of(result: Waiting, step: StepRun, job: Job, now: Micros) -> Approval:
    """The question that a try of a step ended with."""
    return Approval(
        step.run_id,
        step.step_id,
        result.kind,
        result.question,
        now,
        job.id,
        result.choices,
        preview=result.preview,
        expires_at=None if result.expires is None else now + micros(result.expires),
        fallback=result.fallback,
        on_deny=result.on_deny,
    )


def messages_of(
    question: Approval,
    told: tuple[Notify, ...],
    *,
    run: Run,
    job: Job,
    attempt: int,
    values: Mapping[str, Any],
    config: WorkspaceConfig,
) -> list[Message]:
    """One message to each channel about what is approved or denied; other questions are told of when the run comes to wait."""
    if question.kind not in DECIDED:
        return []
    reason = Reason(question.kind, question.question)
    situation = Situation(job, run, RunState.WAITING, reason, values, config, question.asked_at)
    channels = told or hears_of_errors(job, config)
    body = _body(question, str(values.get("timezone") or config.timezone))
    key = f"{_MARK}:{question.step_id}.{attempt}"
    return compose_each(situation, channels, body, "{{ job.name }}: your answer is wanted", key)


def step_asked(message: Message) -> str | None:
    """The step whose question a message is; None for any other message."""
    parts = message.key.removeprefix(f"{message.run_id}:").split(":")
    if message.run_id is None or len(parts) != 3 or parts[0] != _MARK:
        return None
    return parts[1].rpartition(".")[0]


def _body(question: Approval, timezone: str) -> str:
    parts = [question.question]
    if question.preview:
        beginning = question.preview[:_BEGINNING].rstrip()
        cut = "\n[...]" if len(beginning) < len(question.preview.rstrip()) else ""
        parts.append(beginning + cut)
    run = question.run_id
    answers = "\n".join(
        f"  rota deny {run} --reason ..." if choice == DENY
        else f"  rota approve {run}" if choice == usual_choice(question.choices)
        else f"  rota approve {run} --choice {quote(choice)}"
        for choice in question.choices
    )  # fmt: skip
    parts.append(f"Answer:\n{answers}")
    if question.expires_at is not None:
        parts.append(f"Until {_said(question.expires_at, timezone)}; {then(question)}.")
    return "\n\n".join(parts)


def then(question: Approval) -> str:
    """What happens when nobody answers in time, in words."""
    if question.fallback is None:
        return "without an answer by then the run fails"
    if question.kind == PERMISSION:
        return "without an answer by then it is denied, and the agent goes on without it"
    return f"without one by then the answer is {question.fallback}"


def _said(instant: Micros, timezone: str) -> str:
    return f"{local_time(instant, timezone):%a %d %b %H:%M} ({timezone})"


def usual_choice(choices: tuple[str, ...]) -> str | None:
    """What `rota approve` answers without `--choice`: the only choice that does not deny."""
    others = [choice for choice in choices if choice != DENY]
    return APPROVE if APPROVE in others else others[0] if len(others) == 1 else None


def answer(
    tx: Tx, question: Approval, reply: str, by: str, now: Micros, *, reason: str | None = None
) -> bool:
    """Write an answer and let the run go on; False when it has one, or is not asked any more.

    What the answer means for the step is the executor's to say.
    """
    run = tx.runs.get(question.run_id)
    if run is None or run.final or run.cancel_requested:
        return False
    if not tx.approvals.answer(question.run_id, question.step_id, reply, by, now, reason=reason):
        return False
    tx.takes.drop(question.run_id, question.step_id)
    _go_on(tx, question, now)
    data = {"step": question.step_id, "by": by}
    tx.events.append(Event("question_answered", now, question.job_id, question.run_id, data))
    return True


def expire(tx: Tx, now: Micros) -> int:
    """Let the runs go on whose questions nobody answered in time; how many questions that were."""
    expired = tx.approvals.expired(now, AT_ONCE)
    for question in expired:
        if tx.approvals.expire(question.run_id, question.step_id, NOBODY):
            _go_on(tx, question, now)
            data = {"step": question.step_id}
            tx.events.append(Event("question_expired", now, question.job_id, question.run_id, data))
    return len(expired)


def _go_on(tx: Tx, question: Approval, now: Micros) -> None:
    """Queue the run, unless other steps of it are at work: then it goes on when they have ended (see `is_answered`)."""
    step = next((s for s in tx.runs.steps(question.run_id) if s.step_id == question.step_id), None)
    if step is not None:
        tx.runs.answer_step(question.run_id, step, now)


def is_answered(tx: Tx, run: Run, steps: Mapping[str, StepRun]) -> bool:
    """Whether a question was answered while other steps of its run were at work."""
    return any(
        question.settled and waits_for_person(steps.get(question.step_id))
        for question in tx.approvals.of(run.id)
    )


def waits_for_person(step: StepRun | None) -> bool:
    """Whether a step waits for an answer; one with a time to be tried again was answered before, and failed since."""
    return step is not None and step.state is StepState.WAITING and step.retry_at is None


def decided(question: Approval, step: StepRun) -> StepRun:
    """The step of an approval, as its answer leaves it."""
    by, answer_ = question.answered_by or "somebody", question.answer
    why = f": {question.reason}" if question.reason else ""
    if answer_ is None:
        words = f"nobody answered in time: {' '.join(question.question.split())[:200]}"
        return replace(step, state=StepState.FAILED, reason=Reason("expired", words))
    values = {"answer": answer_, "by": by, "reason": question.reason or ""}
    known = replace(step, output=answer_, values=values)
    if question.state is ApprovalState.EXPIRED:
        said = f"nobody answered in time, so the answer is {answer_}"
    else:
        said = f"{'denied' if answer_ == DENY else f'answered with {answer_}'} by {by}{why}"
    if answer_ != DENY:
        return replace(known, state=StepState.SUCCEEDED, reason=Reason("answered", said))
    if question.on_deny is OnDeny.CONTINUE:
        return replace(known, state=StepState.SUCCEEDED, reason=Reason("denied", said))
    state = StepState.SKIPPED if question.on_deny is OnDeny.SKIP else StepState.FAILED
    return replace(known, state=state, reason=Reason("denied", said))


def left_out(job: Job, step: StepRun) -> list[tuple[str, Reason]]:
    """The steps that a denied one which is skipped takes along: all that wait for its answer."""
    if step.state is not StepState.SKIPPED or step.reason is None:
        return []
    reason = Reason("denied", f"it waits for step `{step.step_id}` ({step.reason.text})")
    waiting = followers_of(job.steps, step.step_id) - {step.step_id}
    return [(other.id, reason) for other in job.steps if other.id in waiting]
