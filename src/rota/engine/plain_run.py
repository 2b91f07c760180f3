"""A plain run at work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from rota.engine.attempt import Attempts, Try
from rota.engine.executor import Stop
from rota.engine.output import OutputLog
from rota.engine.plain_recipes import Recipe
from rota.model.instants import Micros
from rota.model.run import Run


@dataclass(eq=False)
class PlainRun:
    """A run at work. `worker`: who makes it at present; `begun_at`: since when; `stop`: why it is to end.

    `told`: the state knows that its attempt has begun. `over`: it has its result, which is on its way to the state.
    """

    run: Run
    recipe: Recipe
    output: OutputLog | None = None
    worker: asyncio.Task[None] | None = field(default=None, repr=False)
    begun_at: Micros | None = None
    told: bool = False
    over: bool = False
    stop: Stop | None = None

    def log_of(self, attempts: Attempts) -> OutputLog:
        """Where its output goes; opened at the first need."""
        if self.output is None:
            self.output = attempts.open_log(Try(self.recipe.job, self.recipe.step, self.run, 1, {}))
        return self.output
