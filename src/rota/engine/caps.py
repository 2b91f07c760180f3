"""Caps on size: the logs of a job, and the state as a whole. What is oldest goes first."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from rota.engine.pruning import BATCH, FOUND, Pruner, pieces
from rota.model.config import Limits
from rota.model.instants import DAY, MINUTE, Micros
from rota.ports.clock import Clock
from rota.ports.store import Store, Tx

# Where history is too large, it is made to reach back four fifths as far, again and again.
YOUNGER = 0.8
SHORTEST: Micros = MINUTE
SPARE = 8_000_000  # bytes of freed space that stay in the file: they are needed again soon
# A cursor for `rota doctor`: {"at": when history was cut short last, "since": from when on it is there}
CUT_SHORT = "history_cut_short"
log = structlog.get_logger("rota.retention")


class SizeCaps:
    """Keeps `limits.logs` for every job, and `limits.state`."""

    def __init__(self, store: Store, clock: Clock, pruner: Pruner, limits: Callable[[], Limits]) -> None:
        self._store = store
        self._clock = clock
        self._pruner = pruner
        self._limits = limits

    async def keep_logs(self) -> int:
        """Delete logs of jobs that have too many, the oldest run's first, never the newest one's; of how many runs."""
        names = await asyncio.to_thread(_folders, self._pruner.logs)
        held: Counter[str] = Counter()
        gone = 0
        for some in pieces(names):
            gone += await asyncio.to_thread(self._keep_logs_of, some, held)
            await asyncio.sleep(0)
        return gone

    def _keep_logs_of(self, names: Sequence[str], held: Counter[str]) -> int:
        """`names`: runs, latest first; `held`: bytes by job id, of the runs that are later than these."""
        limit, gone = self._limits().logs, 0
        jobs = self._store.read(lambda tx: tx.runs.owners_of_logs(names))
        for name in names:
            if name not in jobs:
                continue  # a state from elsewhere: what it does not know is not ours to delete
            job_id, finished = jobs[name]
            folder, newest = self._pruner.logs / name, job_id not in held
            held[job_id] += _size(folder)
            if finished and not newest and held[job_id] > limit:
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
        return gone

    async def keep_state(self) -> None:
        """Delete the oldest history of all jobs while the state is too large, then give back what is free."""
        if not self._fits():
            await self._cut_short()
        while await self._store.shrink(SPARE):
            await self._pruner.pause()

    async def _cut_short(self) -> None:
        limits, now = self._limits(), self._clock.now()
        log.warning("state_too_large", bytes=self._store.used(), limit=limits.state)
        reach = int(limits.keep_ledger_days * DAY)
        since = now - reach
        while not self._fits() and reach > SHORTEST:
            reach = int(reach * YOUNGER)
            since = now - reach
            await self._forget_before(since)
        await self._store.write(lambda tx: tx.cursors.put(CUT_SHORT, {"at": now, "since": since}, now))
        if self._fits():
            log.warning("history_cut_short", since=since, bytes=self._store.used())
        else:
            log.error("state_still_too_large", bytes=self._store.used(), limit=limits.state)

    async def _forget_before(self, older_than: Micros) -> None:
        prune, fits = self._pruner, self._fits
        await prune.runs(lambda tx: tx.runs.oldest(older_than, FOUND), fits)
        await prune.rows(lambda tx: tx.events.prune(older_than, BATCH), fits)
        await prune.rows(lambda tx: tx.outbox.prune(older_than, BATCH), fits)
        await prune.rows(lambda tx: tx.deliveries.forget(older_than, BATCH), fits)
        for job_id in await asyncio.to_thread(
            self._store.read, lambda tx: tx.ledger.reaching_back(older_than)
        ):
            await prune.rows(partial(_forget_moments, job_id=job_id, older_than=older_than), fits)

    def _fits(self) -> bool:
        return self._store.used() <= self._limits().state


def _forget_moments(tx: Tx, job_id: str, older_than: Micros) -> int:
    return tx.ledger.prune(job_id, older_than, BATCH)


def _folders(path: Path) -> list[str]:
    """The runs that have logs, latest first: their ids begin with the time."""
    try:
        return sorted((entry.name for entry in os.scandir(path) if entry.is_dir()), reverse=True)
    except FileNotFoundError:
        return []


def _size(folder: Path) -> int:
    total = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            total += entry.stat(follow_symlinks=False).st_size
    return total
