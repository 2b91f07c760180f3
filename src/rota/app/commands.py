"""What changes something: runs, jobs. Every door calls these; none does it itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from rota.app.cancelling import end_cancelled
from rota.app.control import nudge, running_daemon
from rota.app.queries import find_job
from rota.app.triggers import resume_job as resume_in
from rota.app.wiring import App
from rota.engine.chains import DEPTH
from rota.engine.pausing import pause
from rota.engine.queueing import Call, default_params, queue
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.job import Job, Overlap, Param
from rota.model.ledger import JobRecord
from rota.model.run import Reason, Run
from rota.ports.crash import crash_point
from rota.spec import from_json

BY_HAND = Reason("manual", "started by hand")


def run_job(
    app: App,
    job_id: str,
    params: Mapping[str, str] | None = None,
    *,
    force: bool = False,
    reason: Reason = BY_HAND,
    depth: int = 0,
    key: str | None = None,
) -> Run:
    """Queue a run now. `params` are texts, as a command line gives them. `depth`: runs that led to this one.

    `key`: of its occurrence, so that asking twice for the same starts one.

    Raises NotFoundError; ConflictError while a run is active and `overlap` is skip (unless `force`);
    RotaError for parameters that are missing, unknown or of the wrong type.
    """
    record = find_job(app, job_id)
    if record.removed_at is not None:
        raise NotFoundError(f"the job `{job_id}` was removed", hint="see what there is: rota list")
    job = from_json(record.definition)
    inputs: dict[str, Any] = {"params": {**default_params(job), **typed_params(job, params or {})}}
    if depth:
        inputs[DEPTH] = depth
    now = app.clock.now()
    call = Call(
        job=replace(job, overlap=Overlap.ALLOW) if force else job,
        definition=record.hash,
        trigger_id="manual",
        due_at=now,
        reason=reason,
        key=key,
        inputs=inputs,
    )
    run, why_not = app.store.write_now(partial(queue, call=call, now=now))
    crash_point("commands.queued")
    if run is None:
        alone = running_daemon(app.layout) is None
        wait = "no daemon is running: `rota tick` takes it up" if alone else "wait for it"
        raise ConflictError(
            f"not started: {why_not.text}", hint=f"{wait}; or `rota cancel` it, or use --force"
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
