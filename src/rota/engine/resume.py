"""A run that goes on: what becomes of steps that were in flight, and of those whose question has its answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rota.engine.attempt import Attempts, Try
from rota.engine.journal import Journal
from rota.engine.permissions import decision, with_answer
from rota.engine.questions import decided, left_out, waits_for_person
from rota.model.agent import AgentSession
from rota.model.job import OnInterrupt, Step
from rota.model.message import APPROVAL, PERMISSION, Approval
from rota.model.run import Reason, StepRun, StepState
from rota.planning.recover import recover
from rota.ports.crash import crash_point
from rota.ports.steps import Done, Failed, StepKind
from rota.ports.store import Tx

_AFTER_INTERRUPTION = {
    "retry": StepState.PENDING,
    "resume": StepState.PENDING,
    "skip": StepState.SKIPPED,
}


async def resume(
    journal: Journal,
    kinds: Mapping[str, StepKind],
    attempts: Attempts,
    values: Callable[[], Mapping[str, object]],
) -> None:
    """Bring the journal of a run that was taken up to where its steps can be started. `values`: for templates."""
    await _recover(journal, kinds)
    await _take_answers(journal, attempts, values)


async def _recover(journal: Journal, kinds: Mapping[str, StepKind]) -> None:
    """Decide about steps that were in flight when an earlier owner of this run ended."""
    for step in journal.job.steps:
        known = journal.steps[step.id]
        if known.state is not StepState.RUNNING:
            continue
        kind = kinds.get(step.kind)
        default = kind.on_interrupt if kind is not None else OnInterrupt.ASK
        talk = journal.conversation(step.id)
        recovery = recover(step.on_interrupt or default, talking=talk is not None and talk.goes_on)
        now = journal.now()
        lost = replace(
            journal.attempt_of(known), state=StepState.INTERRUPTED, finished_at=now, reason=recovery.reason
        )
        question = None
        if recovery.state is StepState.WAITING:
            question = Approval(
                journal.run.id, step.id, "interrupted", recovery.reason.text, now, journal.job.id,
                choices=recovery.choices,
            )  # fmt: skip
        after = replace(known, state=recovery.state, reason=recovery.reason)
        drop = talk is not None and recovery.afresh
        await journal.end(after, lost, question, also=_forgotten(talk) if drop else _nothing)
        crash_point("resume.step_recovered")


async def _take_answers(
    journal: Journal, attempts: Attempts, values: Callable[[], Mapping[str, object]]
) -> None:
    """Steps whose question was answered while the run waited go on with the answer."""
    for question in journal.questions():
        step = journal.steps.get(question.step_id)
        if step is None or not question.settled or not waits_for_person(step):
            continue
        answer, by = question.answer or "", question.answered_by or "somebody"
        if question.kind == "interrupted":
            state = _AFTER_INTERRUPTION.get(answer, StepState.FAILED)
            reason = Reason("interrupted", f"it was interrupted; {by} answered: {answer}")
            talk = None if answer == "resume" else journal.conversation(step.step_id)
            await journal.end(
                replace(step, state=state, reason=reason), also=_nothing if talk is None else _forgotten(talk)
            )
            crash_point("resume.answer_taken")
            continue
        if question.kind == APPROVAL:
            await _take_approval(journal, question, step, attempts, values())
            continue
        if question.kind == PERMISSION:
            talk = journal.conversation(step.step_id)
            told = _nothing if talk is None else _put(with_answer(talk, question))
            after = replace(step, state=StepState.PENDING, reason=decision(question))
            await journal.end(after, also=told)
            crash_point("resume.answer_taken")
            continue
        await journal.end(_answered(journal, step, attempts, values(), answer=answer, by=by))
        crash_point("resume.answer_taken")


def _nothing(_tx: Tx) -> None:
    """The conversation, if there is one, stays as it is."""


def _forgotten(talk: AgentSession | None) -> Callable[[Tx], None]:
    return lambda tx: None if talk is None else tx.sessions.drop(talk.key)


def _put(talk: AgentSession) -> Callable[[Tx], None]:
    return lambda tx: tx.sessions.put(talk)


async def _take_approval(
    journal: Journal, question: Approval, step: StepRun, attempts: Attempts, values: Mapping[str, object]
) -> None:
    after = decided(question, step)
    if after.state is StepState.SUCCEEDED:
        after = _delivered(journal, after, attempts, values)
    # The steps that it takes along come first: after a crash in between the answer is taken again.
    for step_id, reason in left_out(journal.job, after):
        if journal.states[step_id] is StepState.PENDING:
            await journal.set_state(step_id, StepState.SKIPPED, reason)
    await journal.end(after)
    crash_point("resume.answer_taken")


def _answered(
    journal: Journal, step: StepRun, attempts: Attempts, values: Mapping[str, object], *, answer: str, by: str
) -> StepRun:
    """The step with its answer as its output, in the output file too."""
    reason = Reason("answered", f"answered by {by}")
    definition = next(s for s in journal.job.steps if s.id == step.step_id)
    given = {"text": answer, "runner": "inbox", "by": by, "data": data_of(answer, definition)}
    known = replace(step, state=StepState.SUCCEEDED, reason=reason, output=answer, values=given)
    return _delivered(journal, known, attempts, values)


def _delivered(journal: Journal, step: StepRun, attempts: Attempts, values: Mapping[str, object]) -> StepRun:
    """The step, or what it is where its output file cannot be written."""
    definition = next(s for s in journal.job.steps if s.id == step.step_id)
    result = attempts.deliver(
        Try(journal.job, definition, journal.run, step.attempts, values), Done(step.output)
    )
    if isinstance(result, Failed):
        return replace(step, state=StepState.FAILED, reason=result.reason)
    return step


def data_of(answer: str, step: Step) -> Any:
    """The fields of an answer for which the step has a schema; it was held against that when it was given."""
    if step.config.get("schema") is None:
        return None
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        return None
