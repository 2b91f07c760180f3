"""Running again what a run did: all of it, or from one of its steps on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rota.app.control import nudge
from rota.app.queries import find_job, find_run
from rota.app.wiring import App
from rota.engine.queueing import RERUN, Call, default_params, queue
from rota.model.errors import ConflictError, NotFoundError
from rota.model.instants import Micros
from rota.model.job import Job
from rota.model.run import Reason, Run, StepRun
from rota.planning.rerun import taken_over
from rota.ports.store import Tx
from rota.spec import from_json

# What a run's inputs hold beside what it was given.
_OF_THE_RUN = frozenset({"backfill", "condition_error", "rerun_of"})


def rerun(app: App, text: str, *, from_step: str | None = None, as_it_was: bool = False) -> Run:
    """Queue a run with the inputs of an earlier one; `from_step`: what does not wait for that step is taken over.

    It executes the job's present definition, or `as_it_was` the one that the earlier run executed.
    Raises NotFoundError for a run, job or step that is not there; ConflictError while the earlier run is
    active, while `overlap` lets no other in, or when a step that would be taken over had not finished.
    """
    old = find_run(app, text)
    if not old.final:
        raise ConflictError(
            f"run {old.id} is {old.state.value}: it has not ended yet",
            hint=f"wait for it, or end it: rota cancel {old.id}",
        )
    definition, job = _definition(app, old, as_it_was=as_it_was)
    steps: list[StepRun] = []
    if from_step is not None:
        journal = {step.step_id: step for step in app.store.read(lambda tx: tx.runs.steps(old.id))}
        steps = taken_over(job, from_step, old, journal)
    now = app.clock.now()
    call = _call(old, job, definition, _reason(old, from_step, as_it_was=as_it_was), now)
    run, reason = app.store.write_now(partial(_queue, call=call, steps=steps, now=now))
    if run is None:
        raise ConflictError(f"not started: {reason.text}", hint="wait for that run, or `rota cancel` it")
    nudge(app.layout)
    return run


def _definition(app: App, old: Run, *, as_it_was: bool) -> tuple[str, Job]:
    """The definition to execute, and its hash."""
    if as_it_was:
        text = app.store.read(lambda tx: tx.jobs.definition(old.definition))
        if text is None:
            raise NotFoundError(
                f"the definition that run {old.id} executed is not in the state any more",
                hint="leave out --as-it-was",
            )
        return old.definition, from_json(text)
    record = find_job(app, old.job_id)
    if record.removed_at is not None:
        raise NotFoundError(
            f"the job `{old.job_id}` was removed", hint=f"run what it was: rota rerun {old.id} --as-it-was"
        )
    return record.hash, from_json(record.definition)


def _call(old: Run, job: Job, definition: str, reason: Reason, now: Micros) -> Call:
    given = {name: value for name, value in old.inputs.items() if name not in _OF_THE_RUN}
    params = {**default_params(job), **old.inputs.get("params", {})}
    return Call(
        job=job,
        definition=definition,
        trigger_id=RERUN,
        due_at=old.due_at or now,
        reason=reason,
        inputs={**given, "params": params, "rerun_of": old.id},
    )


def _reason(old: Run, from_step: str | None, *, as_it_was: bool) -> Reason:
    since = "" if from_step is None else f", from step `{from_step}`"
    how = " as it was" if as_it_was else ""
    return Reason("rerun", f"run {old.id} again{how}{since}")


def _queue(tx: Tx, call: Call, steps: list[StepRun], now: Micros) -> tuple[Run | None, Reason]:
    run, reason = queue(tx, call, now)
    if run is not None:
        for step in steps:
            tx.runs.put_step(run, replace(step, run_id=run.id))
    return run, reason
