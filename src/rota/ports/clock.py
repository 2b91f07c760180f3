"""The clock: the one way to learn the time or to wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from rota.model.instants import SECOND, Micros

if TYPE_CHECKING:
    import asyncio


# How long before the instant an exact sleep begins to look at the clock: the timers' own lateness.
EARLY = 0.0015


class Clock(Protocol):
    """Wall time for what is due, monotonic time for how long something takes."""

    def now(self) -> Micros:
        """The wall clock."""
        ...

    def monotonic(self) -> float:
        """Seconds from an unspecified start; never goes back."""
        ...

    async def sleep(
        self, seconds: float, wake: asyncio.Event | None = None, *, exactly: bool = False
    ) -> None:
        """Return after `seconds`, or as soon as `wake` is set (which is then cleared).

        An event loop's timers are up to two milliseconds late; `exactly` pays for less with processor time.
        """
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Micros:
        """The wall clock."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    async def sleep(
        self, seconds: float, wake: asyncio.Event | None = None, *, exactly: bool = False
    ) -> None:
        """Wait, but never past a wake-up."""
        import asyncio  # what only looks at the time starts without it

        if wake is None:
            await asyncio.sleep(max(0.0, seconds))
            return
        until = time.monotonic() + seconds
        try:
            async with asyncio.timeout(max(0.0, seconds - (EARLY if exactly else 0.0))):
                await wake.wait()
        except TimeoutError:
            while exactly and time.monotonic() < until and not wake.is_set():  # noqa: ASYNC110 # an event is as late as the timer
                await asyncio.sleep(0)
            return
        wake.clear()


def seconds_until(instant: Micros, now: Micros) -> float:
    """Seconds from `now` to `instant`; negative when it has passed."""
    return (instant - now) / SECOND
