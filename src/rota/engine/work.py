"""The runs that are at work in this process: each in a coroutine of its own, or among other plain ones."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rota.engine.executor import Executor, Stop
from rota.engine.plain import PlainRuns
from rota.engine.plain_recipes import Recipe
from rota.model.run import Run


@dataclass(frozen=True)
class Claimed:
    """Runs that were claimed: those to execute each by itself, and plain ones whose step was begun with the claim."""

    alone: tuple[Run, ...] = ()
    plain: tuple[tuple[Run, Recipe], ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """Of all of them."""
        return frozenset(run.id for run in (*self.alone, *(run for run, _ in self.plain)))


class Work:
    """Executor and plain runs, as the loops see them."""

    def __init__(self, executor: Executor, plain: PlainRuns) -> None:
        self._executor = executor
        self._plain = plain

    @property
    def active(self) -> frozenset[str]:
        """Ids of the runs that are at work here."""
        return self._executor.active | self._plain.active

    @property
    def taken(self) -> int:
        """How many places the runs take that are at work here."""
        return len(self._executor.active) + self._plain.taken

    @property
    def ahead(self) -> int:
        """How many runs that are calls to hosts may be claimed beyond the free places."""
        return self._plain.ahead

    def recipe(self, run: Run) -> Recipe | None:
        """How to make this run among others; None when it has to be executed by itself."""
        return self._plain.recipe(run)

    def start(self, claimed: Claimed, *, first: bool = False) -> None:
        """Execute claimed runs; `first`: before those that were claimed ahead of their turn."""
        for run in claimed.alone:
            self._executor.start(run)
        self._plain.start(claimed.plain, first=first)

    def stop(self, run_id: str, why: Stop) -> None:
        """End a run: its children first, then its state."""
        self._plain.stop(run_id, why)
        self._executor.stop(run_id, why)

    async def drain(self, grace: float) -> None:
        """Let the active runs finish for `grace` seconds, then interrupt the rest in the state."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await self._plain.drain(grace)
        await self._executor.drain(max(0.0, grace - (loop.time() - begun)))

    def ended(self) -> None:
        """Somebody else has ended a run."""
        self._executor.on_end()
