"""Recovery: runs whose owner died go back to the queue, to be taken up after their last finished step."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import structlog

from rota.engine.accounts import settle_left
from rota.engine.definitions import Definitions
from rota.engine.ownership import is_orphan
from rota.model.errors import LostClaimError
from rota.model.instants import SECOND, Micros
from rota.model.ledger import Event
from rota.model.run import Attempt, Reason, Run, StepRun, StepState
from rota.ports.bulk import BEGUN
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.processes import Processes
from rota.ports.store import Store, Tx

STALE_MESSAGE: Micros = 120 * SECOND
log = structlog.get_logger("rota.recovery")


class Recovery:
    """Looks for what dead processes left: runs, their children, half-sent messages."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        definitions: Definitions,
        processes: Processes,
        *,
        owner: str,
        owners: Path,
        workspace: Path,
    ) -> None:
        self._store = store
        self._definitions = definitions
        self._clock = clock
        self._processes = processes
        self._owner = owner
        self._owners = owners
        self._workspace = workspace

    async def run_once(self) -> int:
        """Take over what is orphaned; how many runs that were."""
        now = self._clock.now()
        running = self._store.read(lambda tx: tx.runs.running())
        orphans = [run for run in running if is_orphan(run, self._owners, self._owner, now)]
        for run in orphans:
            markers = {"ROTA_RUN_ID": run.id, "ROTA_WORKSPACE": str(self._workspace)}
            try:
                survivors = await self._processes.sweep(markers)
                crash_point("recovery.swept")
                await self._store.write(partial(_take_over, run=run, definitions=self._definitions, now=now))
                crash_point("recovery.taken_over")
            except LostClaimError:
                continue  # another process was first
            except OSError:
                log.exception("run_not_taken_over", run=run.id, job=run.job_id)
                continue  # at the next look; the others need not wait for it
            log.warning("run_taken_over", run=run.id, job=run.job_id, owner=run.owner, survivors=survivors)
        if await self._store.write(lambda tx: tx.outbox.reopen(now, now - STALE_MESSAGE)):
            crash_point("recovery.messages_reopened")
        return len(orphans)


def _take_over(tx: Tx, run: Run, definitions: Definitions, now: Micros) -> None:
    reason = Reason("taken_over", "its owner ended; the run goes on after its last finished step")
    give_back(tx, run, definitions, now, reason)
    tx.events.append(Event("run_taken_over", now, run.job_id, run.id, {"owner": run.owner}))


def give_back(tx: Tx, run: Run, definitions: Definitions, now: Micros, reason: Reason) -> None:
    """Put a run that is at work nowhere into the queue again.

    Of a plain run's first moments the journal knows nothing: its attempt may have begun.
    """
    if run.reason.code == BEGUN and not tx.runs.steps(run.id):
        step, started = definitions.get(run.definition, tx).steps[0].id, run.started_at or now
        tx.runs.put_step(run, StepRun(run.id, step, 0, StepState.RUNNING, 1, started))
        tx.runs.put_attempt(run, Attempt(run.id, step, 1, StepState.RUNNING, started))
    settle_left(tx, run.id)
    tx.runs.release(run, now, reason)
