"""The schedules that need no calendar: every so often, at one moment, never by the clock."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from rota.model.errors import ScheduleError
from rota.schedule.base import Kind, Schedule
from rota.schedule.durations import format_duration, parse_duration
from rota.schedule.walls import instant_of, is_repeated
from rota.schedule.wording import DAYS, MONTHS, clock, counted, quote
from rota.schedule.zones import to_wall

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  naive UTC
_DATE_AND_TIME = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d.*", re.IGNORECASE)


class Every(Schedule):
    """Every so much real elapsed time: `every 13h` is 13 hours, whatever the clocks do.

    The instants are `anchor` plus and minus whole multiples of the interval, so they do not depend on
    when anybody asked: they survive restarts and cannot drift. Without an anchor it is the Unix epoch
    (1970-01-01T00:00Z). An anchor in the future sets the rhythm; it does not delay the start.
    """

    kind: ClassVar[Kind] = "every"

    def __init__(self, text: str, zone: ZoneInfo, anchor: datetime | None) -> None:
        super().__init__(text, zone)
        try:
            self.interval = parse_duration(re.sub(r"(?i)^every\b:?", "", text))
        except ScheduleError as error:
            raise ScheduleError(f"{quote(text)}: {error.message}", hint=error.hint) from None
        self._anchor = EPOCH if anchor is None else anchor.replace(microsecond=0)

    def _next(self, after: datetime) -> datetime:
        return self._anchor + ((after - self._anchor) // self.interval + 1) * self.interval

    def _count(self, after: datetime, until: datetime) -> int:
        first, last = ((moment - self._anchor) // self.interval for moment in (after, until))
        return max(0, last - first)

    def describe(self) -> str:
        """`every 90 minutes`, `every 2 days`, `every 1h30m10s`."""
        for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
            count, rest = divmod(self.interval, timedelta(seconds=seconds))
            if not rest and (unit != "day" or count > 1):  # "every day" would promise a time of day
                return f"every {counted(count, unit)}"
        return f"every {format_duration(self.interval)}"


class At(Schedule):
    """Once, at a date and time: in the schedule's zone unless the text carries an offset.

    A time in a gap means right after it; one in a repeated stretch its first pass.
    """

    kind: ClassVar[Kind] = "at"

    def __init__(self, text: str, zone: ZoneInfo) -> None:
        super().__init__(text, zone)
        moment = _moment(text)
        if moment.tzinfo is None:
            instant = instant_of(zone, moment)
            if instant is None:
                raise ScheduleError(
                    f"{quote(text)} can never fire: {zone.key} skipped that day",
                    hint="choose a date that the zone's calendar has, or give an offset (+00:00)",
                )
            self.warnings = _clock_warnings(zone, moment, instant)
        else:
            instant = moment.astimezone(UTC).replace(tzinfo=None)
        self._instant = instant

    def _next(self, after: datetime) -> datetime | None:
        return self._instant if self._instant > after else None

    def describe(self) -> str:
        """`once, on Tuesday 1 December 2026 at 09:00`."""
        wall = to_wall(self.zone, self._instant)
        date = f"{DAYS[wall.weekday()]} {wall.day} {MONTHS[wall.month - 1]} {wall.year}"
        return f"once, on {date} at {clock(wall.hour, wall.minute, wall.second)}"


def _moment(text: str) -> datetime:
    source = re.sub(r"(?i)^at\b:?", "", text).strip()
    if _DATE_AND_TIME.fullmatch(source):
        with suppress(ValueError):
            return datetime.fromisoformat(source)
    raise ScheduleError(
        f"{quote(text)}: no date and time that exist",
        hint="write them like `at 2026-12-01T09:00`, or with an offset: `at 2026-12-01T09:00+01:00`",
    )


def _clock_warnings(zone: ZoneInfo, wall: datetime, instant: datetime) -> tuple[str, ...]:
    shown = to_wall(zone, instant).replace(fold=0)
    time = clock(wall.hour, wall.minute, wall.second)
    if shown != wall:
        later = clock(shown.hour, shown.minute, shown.second)
        return (f"the clock in {zone.key} skips {time} on that day: it runs at {later}",)
    if is_repeated(zone, wall):
        return (f"the clock in {zone.key} shows {time} twice on that day: it runs the first time",)
    return ()


class Manual(Schedule):
    """Never by the clock: a person, a webhook or another job starts it."""

    kind: ClassVar[Kind] = "manual"

    def _next(self, after: datetime) -> None:  # noqa: ARG002
        return None

    def describe(self) -> str:
        """`only when started by hand`."""
        return "only when started by hand"


class Reboot(Schedule):
    """When the daemon starts: an event, not a time, so there is no next instant."""

    kind: ClassVar[Kind] = "reboot"

    def _next(self, after: datetime) -> None:  # noqa: ARG002
        return None

    def describe(self) -> str:
        """`when the daemon starts`."""
        return "when the daemon starts"
