"""Whether the loops go round: what a service manager is told, so that a daemon that is stuck is started again."""

from __future__ import annotations

from rota.ports.clock import Clock

# Longer than the state waits for a lock that another process holds: that is no reason for a new start.
LONGEST_PASS = 120.0


class Pulse:
    """Until when each loop has to have shown itself, on the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def beat(self, loop: str, pause: float = 0.0) -> None:
        """The loop is at work, or will be after `pause` seconds."""
        self._until[loop] = self._clock.monotonic() + pause + LONGEST_PASS

    def stop(self) -> None:
        """Nothing more is expected of any loop."""
        self._until.clear()

    def overdue(self) -> list[str]:
        """The loops that have not come round in time."""
        now = self._clock.monotonic()
        return sorted(loop for loop, until in self._until.items() if until < now)
