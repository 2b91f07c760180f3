"""Retention: what is old enough goes, in small batches that never hold up a firing."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rota.model.config import WorkspaceConfig
from rota.model.instants import DAY, Micros
from rota.ports.clock import Clock
from rota.ports.store import Store, Tx

BATCH = 50


class Retention:
    """Keeps `limits.keep_runs` runs of a job, none older than `keep_days`, and the ledger for `keep_ledger_days`."""

    def __init__(
        self, store: Store, clock: Clock, *, workspace: Path, config: Callable[[], WorkspaceConfig]
    ) -> None:
        self._store = store
        self._clock = clock
        self._logs = workspace / ".rota" / "logs" / "runs"
        self._config = config

    async def run_once(self) -> int:
        """Prune everything; how many runs went."""
        gone = 0
        ledger_from = self._before(self._config().limits.keep_ledger_days)
        for record in self._store.read(lambda tx: tx.jobs.all(removed=True)):
            gone += await self._runs(record.id)
            await self._until_few(partial(_ledger, job_id=record.id, older_than=ledger_from))
        older = self._before(self._config().limits.keep_days)
        await self._until_few(lambda tx: tx.outbox.prune(older, BATCH))
        await self._until_few(lambda tx: tx.events.prune(older, BATCH))
        return gone

    async def _runs(self, job_id: str) -> int:
        gone = 0
        while True:
            ids = await self._store.write(partial(self._prune, job_id=job_id))
            gone += len(ids)
            if ids:
                await asyncio.to_thread(self._forget_logs, ids)
            if len(ids) < BATCH:
                return gone

    async def _until_few(self, prune: Callable[[Tx], int]) -> None:
        gone = BATCH
        while gone == BATCH:
            gone = await self._store.write(prune)

    def _prune(self, tx: Tx, job_id: str) -> list[str]:
        limits = self._config().limits
        return tx.runs.prune(job_id, limits.keep_runs, self._before(limits.keep_days), BATCH)

    def _before(self, days: float) -> Micros:
        return self._clock.now() - int(days * DAY)

    def _forget_logs(self, ids: list[str]) -> None:
        for run_id in ids:
            shutil.rmtree(self._logs / run_id, ignore_errors=True)


def _ledger(tx: Tx, job_id: str, older_than: Micros) -> int:
    return tx.ledger.prune(job_id, older_than, BATCH)
