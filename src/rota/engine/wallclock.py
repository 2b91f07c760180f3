"""The wall clock against real time: whether it was set, or stood still in our eyes while the machine slept."""

from __future__ import annotations

from rota.model.instants import Micros, micros
from rota.ports.clock import Clock


class WallWatch:
    """One observer's view: what the wall clock did beyond the passing of time, since it last looked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lead = self._look()

    def strayed(self) -> Micros:
        """How far the wall clock went ahead of time (negative: back) since the last call."""
        before, self._lead = self._lead, self._look()
        return self._lead - before

    def _look(self) -> Micros:
        return self._clock.now() - micros(self._clock.monotonic())
