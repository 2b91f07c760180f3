"""Five-field cron, read as Debian's cron reads it.

cronsim parses the fields and knows which days they name. The walk over hours and clock changes is rota's
own (`walls`), because cronsim 2.8 answers with past instants from inside a repeated hour, goes wrong at
jumps of less than an hour, and treats a skipped day as a gap to make up for.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar

from cronsim import CronSim, CronSimError

from rota.model.errors import ScheduleError
from rota.schedule.base import Kind, Schedule
from rota.schedule.cron_words import describe, warnings
from rota.schedule.walls import next_instant
from rota.schedule.wording import quote
from rota.schedule.zones import offset, transition

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
_RANGES = (
    "0-59",
    "0-23",
    "1-31, L (the last day) or LW (the last weekday)",
    "1-12 or JAN-DEC",
    "0-7 or SUN-SAT (0 and 7 are Sunday), 5L (the last Friday) or MON#2 (the second Monday)",
)
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001  cronsim wants a start; only its parser is used
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
_UNSETTLED = timedelta(
    hours=26
)  # around a change of clocks: no clock was ever put back by more than 24 hours
_MONTHS_IN_CYCLE = 4800  # the calendar repeats every 400 years: a day not found in them does not exist


class Cron(Schedule):
    """A cron expression. `expression` is what `text` stands for, when that is a name such as `@daily`.

    Day of month and day of week: either may match when both are restricted, both must when one of them
    starts with `*`. A job is *fixed-time* when neither its minute nor its hour field starts with `*`;
    `walls` says what that means when clocks change.
    """

    kind: ClassVar[Kind] = "cron"

    def __init__(self, text: str, expression: str, zone: ZoneInfo) -> None:
        super().__init__(text, zone)
        self._days = _read(tuple(expression.split()), quote(text))
        self._fields = tuple(expression.upper().split())
        self._minutes = sorted(self._days.minutes)
        self._hours = sorted(self._days.hours)
        self._fixed = not self._fields[0].startswith("*") and not self._fields[1].startswith("*")
        if self._first_day(_ANY_DAY.date()) is None:
            raise _never(quote(text))
        self.warnings = warnings(self._fields)

    def _next(self, after: datetime) -> datetime | None:
        return next_instant(self.zone, self._first_wall, after, fixed=self._fixed)

    def _count(self, after: datetime, until: datetime) -> int:
        """By arithmetic where the clock stands still, step by step around a change of it."""
        found = 0
        while after < until:
            change = transition(self.zone, after - _UNSETTLED, until)
            calm = until if change is None else change.at - _TICK
            if after < calm:
                shift = offset(self.zone, after)
                found += self._walls(after + shift, calm + shift)
            if change is None:
                break
            restless, after = max(after, calm), min(until, change.at + _UNSETTLED)
            found += super()._count(restless, after)
        return found

    def _walls(self, after: datetime, until: datetime) -> int:
        """The number of wall times that the fields name in (after, until]."""
        found, day = 0, after.date()
        while day <= until.date():
            if self._is_day(day):
                before = self._so_far(after.time()) if day == after.date() else 0
                found += self._so_far(until.time() if day == until.date() else time.max) - before
            day += _DAY
        return found

    def _so_far(self, clock: time) -> int:
        """How many times of a day come up to `clock`."""
        hours = bisect_left(self._hours, clock.hour)
        this_hour = bisect_right(self._minutes, clock.minute) if clock.hour in self._hours else 0
        return hours * len(self._minutes) + this_hour

    def describe(self) -> str:
        """`Mondays to Fridays at 09:00`; the text itself when words would be longer than it."""
        return describe(self._fields) or self.text

    def _first_wall(self, wall: datetime) -> datetime | None:
        if wall.second or wall.microsecond:
            wall = wall.replace(second=0, microsecond=0) + _MINUTE
        day = wall.date()
        if self._is_day(day):
            for hour in self._hours:
                if hour < wall.hour:
                    continue
                for minute in self._minutes:
                    if hour > wall.hour or minute >= wall.minute:
                        return datetime.combine(day, time(hour, minute))
        later = self._first_day(day + _DAY)
        return None if later is None else datetime.combine(later, time(self._hours[0], self._minutes[0]))

    def _is_day(self, day: date) -> bool:
        return day.month in self._days.months and self._days.match_day(day)

    def _first_day(self, day: date) -> date | None:
        for _ in range(_MONTHS_IN_CYCLE):
            month = day.month
            if month in self._days.months:
                while day.month == month:
                    if self._days.match_day(day):
                        return day
                    day += _DAY
            else:
                day = (day.replace(day=1) + 31 * _DAY).replace(day=1)
        return None


def _read(fields: tuple[str, ...], quoted: str) -> CronSim:
    if len(fields) != len(FIELDS):
        raise _wrong_count(fields, quoted)
    try:
        return CronSim(" ".join(fields), _ANY_DAY)
    except (CronSimError, ValueError) as error:  # ValueError: a number of thousands of digits
        bad = str(error).removeprefix("Bad ")
    if bad == "day-of-month" and _is_readable((*fields[:3], "*", fields[4])):
        raise _never(quoted)
    index = FIELDS.index(bad) if bad in FIELDS else 0
    raise ScheduleError(
        f"{quoted}: bad {FIELDS[index]} {quote(fields[index])}", hint=_field_hint(index, fields[index])
    )


def _is_readable(fields: tuple[str, ...]) -> bool:
    try:
        CronSim(" ".join(fields), _ANY_DAY)
    except (CronSimError, ValueError):
        return False
    return True


def _never(quoted: str) -> ScheduleError:
    return ScheduleError(
        f"{quoted} can never fire: no date matches its day and month fields",
        hint="check the day of month against the months; L is the last day of any month",
    )


def _wrong_count(fields: tuple[str, ...], quoted: str) -> ScheduleError:
    hint = "minute, hour, day of month, month, day of week: `0 8 * * *` is every day at 08:00"
    if len(fields) == len(FIELDS) + 1:
        hint = "rota has no seconds field: leave it out, or use `every 10s` for seconds"
    return ScheduleError(f"{quoted} has {len(fields)} field{'s' * (len(fields) != 1)}: cron has 5", hint=hint)


def _field_hint(index: int, field: str) -> str:
    if "?" in field:
        return "write `*` instead of `?`"
    if re.search(r"/0*(,|$)", field):
        return "a step is a number from 1 up: */5"
    for start, end in re.findall(r"(\w+)-(\w+)", field):
        if _is_reversed(index, start, end):
            return f"a range goes upwards: write it in two parts, such as {_two_parts(index, start, end)}"
    return f"{FIELDS[index]} takes `*`, lists (1,3), ranges (1-5), steps (*/5) of {_RANGES[index]}"


def _is_reversed(index: int, start: str, end: str) -> bool:
    def readable(value: str) -> bool:
        return _is_readable((*("*",) * index, value, *("*",) * (len(FIELDS) - 1 - index)))

    return readable(start) and readable(end)


def _two_parts(index: int, start: str, end: str) -> str:
    low, high = (("0", "59"), ("0", "23"), ("1", "31"), ("JAN", "DEC"), ("SUN", "SAT"))[index]
    parts = (start if start == high else f"{start}-{high}", end if end == low else f"{low}-{end}")
    return ",".join(parts)
