"""What a change of clocks does to the schedules that are written in wall time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rota.model.errors import RotaError
from rota.model.instants import Micros, from_micros, to_micros
from rota.schedule import Schedule, parse, zone
from rota.schedule.parse import NAMES
from rota.schedule.zones import transition

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class ClockChange:
    """The clock of a zone is moved. `before` and `after`: what it shows at `at`, naive wall time."""

    at: Micros
    timezone: str
    before: datetime
    after: datetime

    @property
    def forward(self) -> bool:
        """Whether it skips a stretch, rather than repeat one."""
        return self.after > self.before

    @property
    def stretch(self) -> tuple[datetime, datetime]:
        """The wall times that are skipped or come twice: from, until."""
        return min(self.before, self.after), max(self.before, self.after)


def clock_changes(zones: Iterable[str], start: Micros, end: Micros) -> list[ClockChange]:
    """The changes in [start, end), by instant and zone. A zone that is not known any more has none."""
    found: list[ClockChange] = []
    until = from_micros(end - 1).replace(tzinfo=None)
    for name in sorted(set(zones)):
        after = from_micros(start - 1).replace(tzinfo=None)
        try:
            place = zone(name)
        except RotaError:
            continue
        while (change := transition(place, after, until)) is not None:
            at = to_micros(change.at.replace(tzinfo=UTC))
            found.append(ClockChange(at, name, change.at + change.before, change.at + change.after))
            after = change.at
    return sorted(found, key=lambda change: (change.at, change.timezone))


def effect(schedule: Schedule, change: ClockChange) -> str | None:
    """What the change does to a cron schedule of its zone that names the hour; None: nothing worth a word.

    A rhythm (`*` at the start of the hour) goes on in real time, whatever the clock shows.
    """
    if schedule.kind != "cron" or schedule.tz != change.timezone:
        return None
    expression = NAMES.get(schedule.text.lower(), schedule.text)
    if expression.split()[1].startswith("*"):
        return None
    first, last = (wall.replace(tzinfo=UTC) for wall in change.stretch)
    if not parse(expression).count(first - _TICK, last - _TICK):  # in UTC, wall time and instant are one
        return None
    at = from_micros(change.at)
    if change.forward:
        return f"runs at {last:%H:%M}" if schedule.count(at - _TICK, at) else "does not run"
    again = schedule.count(at - _TICK, at + (last - first) - _TICK)
    return f"runs in both hours that read {first:%H:%M}" if again else "runs once, the first time"
