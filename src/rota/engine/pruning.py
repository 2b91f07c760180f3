"""Deleting much without holding anybody up: a few rows to a commit, and room for others between the commits."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.store import Store, Tx

BATCH = 50
FOUND = 20 * BATCH  # to find them takes longer than to delete them, and holds nobody up
PAUSE = 0.01


class Pruner:
    """Deletes until little is found, or `enough()`. `logs`: the folder that has a folder for each run."""

    def __init__(self, store: Store, clock: Clock, logs: Path) -> None:
        self._store = store
        self._clock = clock
        self.logs = logs

    async def runs(self, find: Callable[[Tx], list[str]], enough: Callable[[], bool] = lambda: False) -> int:
        """Delete the runs that `find` gives, FOUND at most at a time, with their logs; how many went."""
        gone, found = 0, FOUND
        while found == FOUND:
            ids = await asyncio.to_thread(self._store.read, find)
            found = len(ids)
            for some in pieces(ids):
                if enough():
                    return gone
                # Logs first: those of a run that is not in the state any more would stay for ever.
                await asyncio.to_thread(self._forget_logs, some)
                crash_point("retention.logs_gone")
                await self._store.write(partial(_prune, ids=some))
                crash_point("retention.runs_gone")
                gone += len(some)
                await self.pause()
        return gone

    async def rows(self, prune: Callable[[Tx], int], enough: Callable[[], bool] = lambda: False) -> int:
        """Have `prune` delete rows, BATCH at most at a time; how many went."""
        gone, found = 0, BATCH
        while found == BATCH and not enough():
            found = await self._store.write(prune)
            gone += found
            if found:
                await self.pause()
        return gone

    async def pause(self) -> None:
        """Let others write and the disk breathe."""
        await self._clock.sleep(PAUSE)

    def _forget_logs(self, ids: Sequence[str]) -> None:
        for run_id in ids:
            shutil.rmtree(self.logs / run_id, ignore_errors=True)


def pieces(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """BATCH at a time."""
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _prune(tx: Tx, ids: Sequence[str]) -> None:
    tx.runs.prune(ids)
