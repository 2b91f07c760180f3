"""Ending runs: one, or all of a job's, for a reason that they show."""

from __future__ import annotations

from functools import partial

from rota.app.control import nudge
from rota.app.queries import find_job, find_run
from rota.app.wiring import App
from rota.engine import cancelling
from rota.engine.definitions import Definitions
from rota.model.errors import ConflictError
from rota.model.instants import Micros
from rota.model.run import ACTIVE, Reason, Run, RunState
from rota.ports.store import Tx

BY_HAND = "cancelled by hand"
_LONGEST_REASON = 500


def cancel_run(app: App, text: str, reason: str | None = None) -> tuple[Run, RunState]:
    """Ask for a run's end; the run and the state it was in. Raises NotFoundError, ConflictError when it is over."""
    run = find_run(app, text)
    found = _cancel(app, [run.id], reason)
    if not found:
        raise ConflictError(f"run {run.id} is over already ({run.state.value})", hint="nothing to cancel")
    return run, found[0][1]


def cancel_job(app: App, job_id: str, reason: str | None = None) -> list[tuple[Run, RunState]]:
    """The same for all active runs of a job, oldest first. Raises NotFoundError, ConflictError when there is none."""
    record = find_job(app, job_id)
    active = app.store.read(lambda tx: tx.runs.active(record.id))
    states = dict(_cancel(app, [run.id for run in active], reason))
    if not states:
        raise ConflictError(f"`{record.id}` has no active run", hint="nothing to cancel")
    return [(run, states[run.id]) for run in active if run.id in states]


def end_cancelled(app: App) -> None:
    """End at once what a change of its job cancelled, rather than at the next pass of a daemon."""
    if app.store.read(lambda tx: tx.runs.to_end()):
        around, now = _surroundings(app), app.clock.now()
        app.store.write_now(partial(cancelling.end_cancelled, around=around, now=now))


def _cancel(app: App, run_ids: list[str], reason: str | None) -> list[tuple[str, RunState]]:
    """Those of the runs that were active, and the states they were in."""
    words = " ".join((reason or "").split())[:_LONGEST_REASON] or BY_HAND
    write = partial(
        _request,
        run_ids=run_ids,
        reason=Reason("cancelled", words),
        around=_surroundings(app),
        now=app.clock.now(),
    )
    found = app.store.write_now(write)
    nudge(app.layout)
    return found


def _request(
    tx: Tx, *, run_ids: list[str], reason: Reason, around: cancelling.Surroundings, now: Micros
) -> list[tuple[str, RunState]]:
    states = [(run_id, tx.runs.request_cancel(run_id, reason)) for run_id in run_ids]
    cancelling.end_cancelled(tx, around, now)
    return [(run_id, state) for run_id, state in states if state in ACTIVE]


def _surroundings(app: App) -> cancelling.Surroundings:
    return cancelling.Surroundings(app.layout.root, app.config, Definitions(app.store))
