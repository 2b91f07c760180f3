"""Runs that end before they are done because somebody asked for it, and that nobody executes at the time.

One that is executed is ended by its executor. Both ends are written by `conclusion.conclude`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rota.engine.conclusion import Ending, conclude, finish
from rota.engine.definitions import Definitions
from rota.engine.environment import run_values
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.ledger import Event
from rota.model.run import Run, RunState, StepRun
from rota.planning.graph import closed
from rota.ports.logger import Logger
from rota.ports.store import Tx

log = Logger("rota.cancelling")


@dataclass(frozen=True)
class Surroundings:
    """What the end of a run needs to know beside the state."""

    workspace: Path
    config: WorkspaceConfig
    definitions: Definitions


def end_cancelled(tx: Tx, around: Surroundings, now: Micros) -> list[Run]:
    """End every run whose end was asked for and that nobody executes; these runs, as they were."""
    ended = tx.runs.to_end()
    for run in ended:
        end_unheld(tx, run, around, now)
    return ended


def end_unheld(tx: Tx, run: Run, around: Surroundings, now: Micros) -> None:
    """End one of `runs.to_end`, with all that the end of a run brings about. Raises LostClaimError when it has ended."""
    ending = Ending(RunState.CANCELLED, run.reason)
    previous = tx.runs.previous(run.job_id, run.id)
    try:
        job = around.definitions.get(run.definition, tx)
        known = {step.step_id: step for step in tx.runs.steps(run.id)}
        steps = {s.id: known.get(s.id, StepRun(run.id, s.id, index)) for index, s in enumerate(job.steps)}
        values = run_values(
            job,
            run,
            closed(job.steps, steps, run.reason, now),
            workspace=around.workspace,
            config=around.config,
            previous=previous,
        )
    except Exception:  # what nobody could execute can still be cancelled
        log.exception("definition_failed", run=run.id, job=run.job_id)
        finish(tx, run, ending, {}, now=now)
        tx.events.append(Event("run_cancelled", now, run.job_id, run.id, {"reason": run.reason.code}))
        return
    conclude(
        tx,
        run=run,
        job=job,
        steps=steps,
        ending=ending,
        previous=previous,
        values=values,
        config=around.config,
        definitions=around.definitions,
        now=now,
    )
