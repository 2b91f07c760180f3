"""The dispatcher: claims queued runs under the limits, and hands them to the executor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from rota.engine.definitions import Definitions
from rota.engine.executor import Executor, Stop
from rota.engine.ownership import LEASE
from rota.model.config import WorkspaceConfig
from rota.model.errors import LostClaimError
from rota.model.instants import SECOND, Micros
from rota.model.job import Overlap
from rota.model.run import Reason, Run
from rota.planning.admission import choose
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.store import Store, Tx

CANDIDATES = 200
log = structlog.get_logger("rota.dispatcher")


class Dispatcher:
    """Local delivery: the queue is the store, the worker is this process."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        definitions: Definitions,
        executor: Executor,
        *,
        owner: str,
        config: Callable[[], WorkspaceConfig],
        only: str | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._definitions = definitions
        self._executor = executor
        self._owner = owner
        self._config = config
        self._only = only
        self.accepting = True

    async def run_once(self) -> Micros | None:
        """Start what may start, end what is to end; when a waiting run wants to go on (None: none does)."""
        self._end_cancelled()
        await self._take_back()
        if self.accepting:
            for run in self._candidates():
                claimed = await self._store.write(partial(self._claim, run=run))
                crash_point("dispatcher.claimed")
                if claimed is not None:
                    self._executor.start(claimed)
        wake = self._store.read(lambda tx: tx.runs.next_wake())
        # One whose time has come and that finds no free place is looked at again soon, not in a spin.
        return None if wake is None else max(wake, self._clock.now() + SECOND)

    async def renew(self) -> None:
        """Keep the leases of the active runs alive."""
        if self._executor.active:
            until = self._clock.now() + LEASE
            await self._store.write(lambda tx: tx.runs.renew(self._owner, until))

    def _end_cancelled(self) -> None:
        if self._executor.active:
            for run_id in self._store.read(lambda tx: tx.runs.cancel_requests(self._owner)):
                self._executor.stop(run_id, Stop.CANCEL)

    async def _take_back(self) -> None:
        """Runs that are ours in the store, and that nobody executes (their end could not be written)."""
        ours = self._store.read(lambda tx: tx.runs.running(self._owner))
        for run in ours:
            if run.id not in self._executor.active:
                reason = Reason(
                    "taken_over", "its end could not be written; it goes on after its last finished step"
                )
                with contextlib.suppress(LostClaimError):
                    await self._store.write(partial(_release, run=run, now=self._clock.now(), reason=reason))

    def _candidates(self) -> list[Run]:
        """The runs to start now. Looks as far down the queue as it takes: its head may be at a limit."""
        free = self._config().limits.runs - len(self._executor.active)
        if free <= 0:
            return []
        now, wanted = self._clock.now(), CANDIDATES
        while True:
            runs = self._store.read(lambda tx: tx.runs.claimable(now, wanted))  # noqa: B023 # called at once
            everything = len(runs) < wanted
            if self._only is not None:
                runs = [run for run in runs if run.id == self._only]
            chosen = self._store.read(partial(self._choose, runs=runs, free=free))
            if everything or len(chosen) == free:
                return chosen
            wanted *= 8

    def _choose(self, tx: Tx, runs: Sequence[Run], free: int) -> list[Run]:
        by_job, by_group = tx.runs.active_counts()
        job_limits: dict[str, int] = {}
        group_limits: dict[str, int] = {}
        for run in runs:
            try:
                job = self._definitions.get(run.definition, tx)
            except Exception:  # it is started all the same: the executor ends it with the reason
                log.exception("definition_failed", run=run.id, job=run.job_id)
                continue
            limit = job.max_active or (None if job.overlap is Overlap.ALLOW else 1)
            if limit is not None:
                job_limits[run.job_id] = limit
            if job.concurrency is not None:
                group_limits[job.concurrency.group] = self._config().groups.get(
                    job.concurrency.group, job.concurrency.limit
                )
        return choose(
            runs,
            free=free,
            running_by_job=by_job,
            running_by_group=by_group,
            job_limits=job_limits,
            group_limits=group_limits,
        )

    def _claim(self, tx: Tx, run: Run) -> Run | None:
        """Claim it, unless another process has filled the place since the choice."""
        if not self._choose(tx, [run], 1):
            return None
        now = self._clock.now()
        return tx.runs.claim(run.id, self._owner, now, now + LEASE)


def _release(tx: Tx, run: Run, now: Micros, reason: Reason) -> None:
    tx.runs.release(run, now, reason)
