"""The clock: the one way to learn the time or to wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from rota.model.instants import SECOND, Micros

if TYPE_CHECKING:
    import asyncio


class Clock(Protocol):
    """Wall time for what is due, monotonic time for how long something takes."""

    def now(self) -> Micros:
        """The wall clock."""
        ...

    def monotonic(self) -> float:
        """Seconds from an unspecified start; never goes back."""
        ...

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Return after `seconds`, or as soon as `wake` is set (which is then cleared)."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Micros:
        """The wall clock."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Wait, but never past a wake-up."""
        import asyncio  # what only looks at the time starts without it

        if wake is None:
            await asyncio.sleep(max(0.0, seconds))
            return
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await wake.wait()
        except TimeoutError:
            return
        wake.clear()


def seconds_until(instant: Micros, now: Micros) -> float:
    """Seconds from `now` to `instant`; negative when it has passed."""
    return (instant - now) / SECOND
