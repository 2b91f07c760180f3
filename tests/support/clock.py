"""A clock that tests move."""

from __future__ import annotations

import asyncio

from rota.model.instants import Micros, micros

START: Micros = 1_795_000_000_000_000  # 2026-11-18T11:06:40Z, a Wednesday
_ROUNDS = 4
_BREATH = 0.002


class FakeClock:
    """ports.clock.Clock: time stands still but for `advance`, and for sleepers that nothing else wakes."""

    def __init__(self, now: Micros = START) -> None:
        self._now = now
        self._monotonic = 1_000.0
        self._sleepers: list[float] = []

    def now(self) -> Micros:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self._monotonic += seconds
        self._now += micros(seconds)

    def set(self, now: Micros) -> None:
        """Somebody sets the wall clock, forward or back."""
        self._now = now

    async def sleep(
        self, seconds: float, wake: asyncio.Event | None = None, *, exactly: bool = False
    ) -> None:
        """Let the others go first; when they all wait, the time jumps to the end of the shortest sleep."""
        until = self._monotonic + max(0.0, seconds)
        self._sleepers.append(until)
        try:
            rounds = 0
            while self._monotonic < until:
                await asyncio.sleep(_BREATH)
                if wake is not None and wake.is_set():
                    wake.clear()
                    return
                rounds = rounds + 1 if until <= min(self._sleepers) else 0
                if rounds >= _ROUNDS:
                    self.advance(max(0.0, until - self._monotonic))
            await asyncio.sleep(0)
        finally:
            self._sleepers.remove(until)
