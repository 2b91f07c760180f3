"""Answers to the questions that runs wait on, and what is shown of those."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from rota.app.answer_checks import check_answer
from rota.app.control import nudge
from rota.app.queries import find_run
from rota.app.times import local
from rota.app.wiring import App
from rota.engine import questions
from rota.model.errors import ConflictError, RotaError
from rota.model.message import DECIDED, DENY, Approval, ApprovalState
from rota.ports.crash import crash_point
from rota.ports.store import Tx

LONGEST_REASON = 500
then = questions.then


def answer(app: App, text: str, reply: str, *, step: str | None = None, by: str = "cli") -> Approval:
    """Answer the question that a run waits on; the run goes on. Raises NotFoundError, ConflictError, RotaError.

    An answer that does not meet the schema of its step is refused (code `bad_answer`).
    """
    question = open_question(app, text, step)
    if question.choices and reply not in question.choices:
        raise RotaError(
            f"{reply!r} is not one of the choices", hint="answer with " + ", ".join(question.choices)
        )
    check_answer(app, question, reply)
    return give(app, question, reply, by=by)


def approve(
    app: App,
    text: str,
    choice: str | None = None,
    *,
    reason: str | None = None,
    step: str | None = None,
    by: str,
) -> tuple[Approval, str]:
    """Answer the approval that a run waits on, and the answer. `choice` None: the one that does not deny.

    `text`: a run, or a job of which one run waits. Raises NotFoundError; ConflictError where it has its answer,
    or several runs wait; RotaError for a choice that it does not offer.
    """
    question = open_question(app, text, step, only=DECIDED)
    reply = choice if choice is not None else questions.usual_choice(question.choices)
    if reply is None:
        raise RotaError(
            "which of its choices? there are several: " + ", ".join(question.choices),
            hint=f"rota approve {question.run_id} --choice '{question.choices[0]}'",
        )
    if reply not in question.choices:
        hint = "it offers: " + ", ".join(question.choices)
        if reply == DENY:
            hint += f"; `rota cancel {question.run_id}` ends the run"
        raise RotaError(f"{reply!r} is not one of the choices", hint=hint)
    return give(app, question, reply, by=by, reason=reason), reply


def give(app: App, question: Approval, reply: str, *, by: str, reason: str | None = None) -> Approval:
    """Write the answer, and tell the daemon. Raises ConflictError when another was first, or it came too late."""
    words = " ".join((reason or "").split())[:LONGEST_REASON] or None
    write = partial(
        questions.answer, question=question, reply=reply, by=by, now=app.clock.now(), reason=words
    )
    if not app.store.write_now(write):
        known = latest(app, question)
        raise ConflictError(
            f"run {question.run_id}: {outcome(app, known)}", hint=f"see `rota why {question.job_id}`"
        )
    crash_point("commands.answered")
    nudge(app.layout)
    return question


def outcome(app: App, question: Approval) -> str:
    """What became of a question that cannot be answered any more."""
    if question.state is ApprovalState.ANSWERED:
        when = local(question.answered_at or 0, app.config.timezone)
        shown = f" with {question.answer}" if question.choices else ""
        return f"it was answered{shown} by {question.answered_by} already ({when})"
    if question.state is ApprovalState.CANCELLED:
        return "it is not asked any more: the run has ended"
    if question.expires_at is not None and question.expires_at <= app.clock.now():
        return f"nobody answered in time, by {local(question.expires_at, app.config.timezone)}"
    return "it does not wait for this answer any more"


def open_question(app: App, text: str, step: str | None, *, only: Collection[str] = ()) -> Approval:
    """The one open question that is meant. Raises NotFoundError; ConflictError where none, or another kind, is open."""
    run_id = _waiting_run(app, text, only)
    every = app.store.read(lambda tx: tx.approvals.of(run_id))
    asked = [a for a in every if a.state is ApprovalState.OPEN and step in {None, a.step_id}]
    fitting = [a for a in asked if not only or a.kind in only]
    if len(fitting) > 1:
        steps = ", ".join(a.step_id for a in fitting)
        raise RotaError(f"run {run_id} has several open questions", hint=f"name one with --step: {steps}")
    if fitting:
        return fitting[0]
    if asked:
        raise ConflictError(
            f"run {run_id} waits for an answer of another kind ({asked[0].kind})",
            hint=f"rota inbox show {run_id}, then rota inbox answer {run_id}",
        )
    over = [a for a in every if step in {None, a.step_id} and (not only or a.kind in only)]
    if over:
        raise ConflictError(f"run {run_id}: {outcome(app, over[-1])}", hint="see `rota inbox`")
    state = find_run(app, run_id).state.value
    raise ConflictError(f"run {run_id} waits for no answer ({state})", hint="see `rota inbox`")


def _waiting_run(app: App, text: str, only: Collection[str]) -> str:
    """The run that `text` names, or of the job that it names the one that waits."""
    waiting = app.store.read(partial(_waiting_of_job, job_id=text, only=only))
    if len(waiting) > 1:
        shown = ", ".join(waiting[:5])
        raise ConflictError(f"{len(waiting)} runs of `{text}` wait for an answer", hint=f"name one: {shown}")
    return waiting[0] if waiting else find_run(app, text).id


def _waiting_of_job(tx: Tx, job_id: str, only: Collection[str]) -> list[str]:
    found = [a.run_id for a in tx.approvals.open() if a.job_id == job_id and (not only or a.kind in only)]
    return list(dict.fromkeys(found))


def latest(app: App, question: Approval) -> Approval:
    """The question as it is now."""
    every = app.store.read(lambda tx: tx.approvals.of(question.run_id))
    return next((a for a in every if a.step_id == question.step_id), question)


def user() -> str:
    """The name of who is at the command line, as this machine knows it."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        return "cli"
