"""What changes something: runs, jobs, answers. Every door calls these; none does it itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from rota.app.cancelling import end_cancelled
from rota.app.control import nudge, running_daemon
from rota.app.queries import find_job, find_run
from rota.app.triggers import resume_job as resume_in
from rota.app.wiring import App
from rota.engine.pausing import pause
from rota.engine.queueing import Call, default_params, queue
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.instants import Micros
from rota.model.job import Job, Overlap, Param
from rota.model.ledger import Event, JobRecord
from rota.model.message import Approval
from rota.model.run import Reason, Run
from rota.ports.crash import crash_point
from rota.ports.store import Tx
from rota.spec import from_json


def run_job(app: App, job_id: str, params: Mapping[str, str] | None = None, *, force: bool = False) -> Run:
    """Queue a run now. `params` are texts, as a command line gives them.

    Raises NotFoundError; ConflictError while a run is active and `overlap` is skip (unless `force`);
    RotaError for parameters that are missing, unknown or of the wrong type.
    """
    record = find_job(app, job_id)
    if record.removed_at is not None:
        raise NotFoundError(f"the job `{job_id}` was removed", hint="see what there is: rota list")
    job = from_json(record.definition)
    inputs = {"params": {**default_params(job), **typed_params(job, params or {})}}
    now = app.clock.now()
    call = Call(
        job=replace(job, overlap=Overlap.ALLOW) if force else job,
        definition=record.hash,
        trigger_id="manual",
        due_at=now,
        reason=Reason("manual", "started by hand"),
        inputs=inputs,
    )
    run, reason = app.store.write_now(partial(queue, call=call, now=now))
    crash_point("commands.queued")
    if run is None:
        alone = running_daemon(app.layout) is None
        wait = "no daemon is running: `rota tick` takes it up" if alone else "wait for it"
        raise ConflictError(
            f"not started: {reason.text}", hint=f"{wait}; or `rota cancel` it, or use --force"
        )
    nudge(app.layout)
    return run


def typed_params(job: Job, given: Mapping[str, str]) -> dict[str, Any]:
    """The parameters as their types want them. Raises RotaError."""
    known = {param.name: param for param in job.params}
    unknown = given.keys() - known.keys()
    if unknown:
        there = ", ".join(known) or "none"
        raise RotaError(
            f"`{job.id}` has no parameter `{min(unknown)}`", hint=f"its parameters: {there}", code="bad_param"
        )
    values = {name: _typed(known[name], text) for name, text in given.items()}
    missing = [p.name for p in job.params if p.required and p.default is None and p.name not in values]
    if missing:
        raise RotaError(
            f"`{job.id}` needs the parameter `{missing[0]}`",
            hint=f"--param {missing[0]}=VALUE",
            code="bad_param",
        )
    return values


def _typed(param: Param, text: str) -> Any:
    value: Any = text
    try:
        if param.type == "integer":
            value = int(text)
        elif param.type == "number":
            value = float(text)
        elif param.type == "boolean":
            value = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
    except (ValueError, KeyError):
        raise RotaError(
            f"parameter `{param.name}`: expected {param.type}, got {text!r}",
            hint=f"--param {param.name}={ {'integer': '3', 'number': '0.5'}.get(param.type, 'true') }",
            code="bad_param",
        ) from None
    if param.choices and value not in param.choices:
        raise RotaError(
            f"parameter `{param.name}`: {text!r} is not one of its choices",
            hint="choices: " + ", ".join(str(choice) for choice in param.choices),
            code="bad_param",
        )
    return value


def pause_job(app: App, job_id: str, reason: str = "by hand") -> JobRecord:
    """No trigger of this job fires until it is resumed. Raises NotFoundError, ConflictError."""
    record = find_job(app, job_id)
    now = app.clock.now()

    if not app.store.write_now(partial(pause, job_id=record.id, reason=reason, now=now)):
        raise ConflictError(f"`{record.id}` is paused already", hint=f"rota resume {record.id}")
    end_cancelled(app)
    nudge(app.layout)
    return record


def resume_job(app: App, job_id: str) -> JobRecord:
    """Go on from now; what was due meanwhile is in the ledger as skipped. Raises NotFoundError, ConflictError."""
    record = find_job(app, job_id)
    now = app.clock.now()
    if not app.store.write_now(partial(resume_in, job_id=record.id, now=now)):
        raise ConflictError(f"`{record.id}` is not paused", hint="see `rota show " + record.id + "`")
    nudge(app.layout)
    return record


def answer(app: App, text: str, reply: str, *, step: str | None = None, by: str = "cli") -> Approval:
    """Answer the question that a run waits on; the run goes on. Raises NotFoundError, ConflictError, RotaError."""
    run = find_run(app, text)
    asked = [a for a in app.store.read(lambda tx: tx.approvals.of(run.id)) if a.state.value == "open"]
    if step is not None:
        asked = [a for a in asked if a.step_id == step]
    if not asked:
        raise ConflictError(f"run {run.id} waits for no answer ({run.state.value})", hint="see `rota inbox`")
    if len(asked) > 1:
        steps = ", ".join(a.step_id for a in asked)
        raise RotaError(f"run {run.id} has several open questions", hint=f"name one with --step: {steps}")
    question = asked[0]
    if question.choices and reply not in question.choices:
        raise RotaError(
            f"{reply!r} is not one of the choices", hint="answer with " + ", ".join(question.choices)
        )
    now = app.clock.now()
    if not app.store.write_now(partial(_answer, question=question, reply=reply, by=by, now=now)):
        raise ConflictError(f"run {run.id} was answered meanwhile", hint="see `rota inbox`")
    crash_point("commands.answered")
    nudge(app.layout)
    return question


def _answer(tx: Tx, question: Approval, reply: str, by: str, now: Micros) -> bool:
    """Write the answer and queue the run; what the answer means for the step is the executor's to say."""
    if not tx.approvals.answer(question.run_id, question.step_id, reply, by, now):
        return False
    step = next(s for s in tx.runs.steps(question.run_id) if s.step_id == question.step_id)
    if not tx.runs.answer_step(question.run_id, step, now):
        raise ConflictError(f"run {question.run_id} does not wait any more", hint="see `rota inbox`")
    data = {"step": question.step_id, "by": by}
    tx.events.append(Event("question_answered", now, question.job_id, question.run_id, data))
    return True
