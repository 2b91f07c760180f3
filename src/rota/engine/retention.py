"""Retention: what is old enough, or too much, goes in small batches that never hold up a firing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from rota.engine.caps import SizeCaps
from rota.engine.pruning import BATCH, FOUND, Pruner
from rota.model.config import Limits, WorkspaceConfig
from rota.model.errors import StoreError
from rota.model.instants import DAY, MINUTE, Micros
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.store import Store, Tx

# Often enough that a job which prints much every second is never far above the cap on its logs.
EVERY: Micros = 5 * MINUTE
# Deleting one asks every run whether it needs it; those that are left over go the next times.
DEFINITIONS = 20
DEFINITIONS_DONE = "retention_of_definitions"
EVERY_DEFINITION: Micros = 60 * MINUTE
# What agents took is counted over a month, however short the ledger is kept.
COUNTED_DAYS = 40.0
# When it was done last: a cursor, so that neither many short lives of daemons nor `rota tick` put it off for ever.
DONE = "retention"


class Retention:
    """Keeps `limits.keep_runs` runs of a job, none older than `keep_days`, and the ledger for `keep_ledger_days`.

    Beyond that the caps on size, `limits.logs` and `limits.state`, and only such definitions of jobs as are in use.
    """

    def __init__(
        self, store: Store, clock: Clock, *, workspace: Path, config: Callable[[], WorkspaceConfig]
    ) -> None:
        self._store = store
        self._clock = clock
        self._config = config
        self._pruner = Pruner(store, clock, workspace / ".rota" / "logs" / "runs")
        self._caps = SizeCaps(store, clock, self._pruner, lambda: self._limits)

    @property
    def _limits(self) -> Limits:
        return self._config().limits

    async def run_when_due(self) -> Micros:
        """Prune everything when the last time is long enough ago; when it is due again."""
        now, done = self._clock.now(), self._store.read(lambda tx: tx.cursors.get(DONE))
        if done is not None and done <= now < done + EVERY:
            return int(done) + EVERY
        await self.run_once()
        await self._store.write(lambda tx: tx.cursors.put(DONE, now, now))
        crash_point("retention.done")
        return now + EVERY

    async def run_once(self) -> int:
        """Prune everything; how many runs were too old or too many."""
        gone = 0
        ledger_from = self._before(self._limits.keep_ledger_days)
        older = self._before(self._limits.keep_days)
        # Only jobs with something to delete are looked at one by one: there may be a million of the others.
        for job_id in await self._ask(lambda tx: tx.runs.with_outdated(self._limits.keep_runs, older)):
            gone += await self._pruner.runs(partial(self._outdated, job_id=job_id))
        for job_id in await self._ask(lambda tx: tx.ledger.reaching_back(ledger_from)):
            await self._pruner.rows(partial(_ledger, job_id=job_id, older_than=ledger_from))
        await self._pruner.rows(lambda tx: tx.outbox.prune(older, BATCH))
        await self._pruner.rows(lambda tx: tx.events.prune(older, BATCH))
        spend_from = min(ledger_from, self._before(COUNTED_DAYS))
        await self._pruner.rows(lambda tx: tx.spend.prune(spend_from, BATCH))
        # That a delivery came is known for longer than what it said, since it must not run twice.
        await self._pruner.rows(lambda tx: tx.deliveries.forget(older, BATCH))
        await self._pruner.rows(lambda tx: tx.deliveries.prune(ledger_from, BATCH))
        # Those of runs go with their runs.
        await self._pruner.rows(lambda tx: tx.sessions.prune(ledger_from, BATCH))
        await self._pruner.rows(lambda tx: tx.proposals.prune(ledger_from, BATCH))
        await self._definitions()
        await self._caps.keep_logs()
        await self._caps.keep_state()
        return gone

    async def _ask(self, question: Callable[[Tx], list[str]]) -> list[str]:
        return await asyncio.to_thread(self._store.read, question)

    async def _definitions(self) -> None:
        """Forget past definitions that no run refers to any more, now and then: it asks every job and run."""
        now, done = self._clock.now(), self._store.read(lambda tx: tx.cursors.get(DEFINITIONS_DONE))
        if done is not None and done <= now < done + EVERY_DEFINITION:
            return
        unused = await self._ask(lambda tx: tx.jobs.unused_definitions(DEFINITIONS))
        for hash_ in unused:
            with suppress(StoreError):  # it has come into use: then it stays
                await self._store.write(partial(_forget_definition, hash_=hash_))
            await self._pruner.pause()
        if len(unused) < DEFINITIONS:
            await self._store.write(lambda tx: tx.cursors.put(DEFINITIONS_DONE, now, now))

    def _outdated(self, tx: Tx, job_id: str) -> list[str]:
        limits = self._limits
        return tx.runs.outdated(job_id, limits.keep_runs, self._before(limits.keep_days), FOUND)

    def _before(self, days: float) -> Micros:
        return self._clock.now() - int(days * DAY)


def _ledger(tx: Tx, job_id: str, older_than: Micros) -> int:
    return tx.ledger.prune(job_id, older_than, BATCH)


def _forget_definition(tx: Tx, hash_: str) -> None:
    tx.jobs.forget_definition(hash_)
