"""When a daemon was there to look, and when none was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rota.model.instants import Micros
from rota.model.ledger import DaemonRecord


@dataclass(frozen=True)
class Gap:
    """A time without a daemon. `since` None: there never was one before. `until` None: it lasts."""

    since: Micros | None
    until: Micros | None

    def touches(self, start: Micros, end: Micros) -> bool:
        """Whether [start, end] overlaps it."""
        return (self.since is None or self.since <= end) and (self.until is None or start <= self.until)


def gaps(lives: Iterable[DaemonRecord], *, running: bool, whole: bool = True) -> list[Gap]:
    """The gaps before, between and after lives, oldest first; none where there was no life at all.

    A life that was not stopped in good order ends when it was last seen; the latest goes on while a
    daemon is `running`. `whole`: no earlier lives are known of.
    """
    found: list[Gap] = []
    end: Micros | None = None
    ordered = sorted(lives, key=lambda life: life.started_at)
    for life in ordered:
        if (end is None and whole) or (end is not None and life.started_at > end):
            found.append(Gap(end, life.started_at))
        end = max(end or 0, life.stopped_at or life.seen_at)
    if ordered and not running:
        found.append(Gap(end, None))
    return found
