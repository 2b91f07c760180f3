"""RFC 5545 recurrence rules on wall time, before zones.

Why not dateutil: it iterates from DTSTART at every question, and a rule that matches nothing keeps it
searching to the year 9999 (`FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30`: hours). Here the search starts at the
asked wall time and ends with the calendar's cycle. The tests hold it against dateutil's answers.
"""

from __future__ import annotations

import math
from calendar import monthrange
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, time, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DAY: Final = timedelta(days=1)
_CYCLE_DAYS: Final = 146_097  # the calendar, weekdays included, repeats every 400 years


class Freq(IntEnum):
    """The period of a rule, from the longest to the shortest."""

    YEARLY = 0
    MONTHLY = 1
    WEEKLY = 2
    DAILY = 3
    HOURLY = 4
    MINUTELY = 5
    SECONDLY = 6


_PERIODS_IN_CYCLE: Final = {
    Freq.YEARLY: 400,
    Freq.MONTHLY: 4800,
    Freq.WEEKLY: _CYCLE_DAYS // 7,
    Freq.DAILY: _CYCLE_DAYS,
}
_UNITS: Final = {
    Freq.HOURLY: timedelta(hours=1),
    Freq.MINUTELY: timedelta(minutes=1),
    Freq.SECONDLY: timedelta(seconds=1),
}


@dataclass(frozen=True)
class Rule:
    """One RRULE with what it takes from DTSTART already filled in. Empty sets restrict nothing.

    `nth` holds (weekday, n): the nth such weekday (from the end when negative) of the month, or of the
    year in a yearly rule without BYMONTH. Weekdays count from Monday = 0. `hours`, `minutes`, `seconds`
    are sorted; they are never empty where they are shorter than the rule's period.
    """

    freq: Freq
    start: datetime
    interval: int = 1
    week_start: int = 0
    months: frozenset[int] = frozenset()
    month_days: frozenset[int] = frozenset()
    year_days: frozenset[int] = frozenset()
    weeks: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    seconds: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()

    def fires(self) -> bool:
        """Whether the rule names any time at all."""
        if self.positions and min(map(abs, self.positions)) > self._most_in_period():
            return False
        if self.freq > Freq.DAILY and not self._meets_the_clock():
            return False
        return self.first(self.start) is not None

    def _most_in_period(self) -> int:
        """How many moments one period can have: what BYSETPOS counts."""
        days = {Freq.YEARLY: 366, Freq.MONTHLY: 31, Freq.WEEKLY: 7}.get(self.freq, 1)
        hours = len(self.hours) if self.freq < Freq.HOURLY else 1
        minutes = len(self.minutes) if self.freq < Freq.MINUTELY else 1
        return days * hours * minutes * (len(self.seconds) if self.freq < Freq.SECONDLY else 1)

    def first(self, wall: datetime) -> datetime | None:
        """The first wall time of the rule at or after `wall`; None when there is none."""
        wall = max(wall, self.start)
        if wall.microsecond:
            wall = wall.replace(microsecond=0) + timedelta(seconds=1)
        if self.freq > Freq.DAILY:
            return self._first_tick(wall)
        origin, period = self._period(self.start.date()), self._period(wall.date())
        cycle = _PERIODS_IN_CYCLE[self.freq]
        for _ in range(cycle // math.gcd(cycle, self.interval) + 1):
            period += (origin - period) % self.interval
            days = self._days_in(period, date.min if self.positions else wall.date())
            if found := self._first_of(days, wall):
                return found
            if self.freq is Freq.DAILY:
                day = self._first_day(date.fromordinal(period) + _DAY)
                if day is None:
                    return None
                period = day.toordinal()
            else:
                period += 1
        return None

    def _period(self, day: date) -> int:
        """The number of the period that a day lies in."""
        if self.freq is Freq.YEARLY:
            return day.year
        if self.freq is Freq.MONTHLY:
            return day.year * 12 + day.month - 1
        if self.freq is Freq.WEEKLY:
            return (day.toordinal() - 1 - self.week_start) // 7
        return day.toordinal()

    def _days_in(self, period: int, low: date) -> Iterator[date]:
        """The matching days of a period from `low` on, in order; none past the end of the calendar."""
        if self.freq is Freq.YEARLY:
            months = [(period, month) for month in sorted(self.months) or range(1, 13)]
        elif self.freq is Freq.MONTHLY:
            months = [(period // 12, period % 12 + 1)]
        else:
            length = 7 if self.freq is Freq.WEEKLY else 1
            first = period * 7 + 1 + self.week_start if length == 7 else period
            last = min(first + length, date.max.toordinal() + 1)
            yield from filter(self.has_day, map(date.fromordinal, range(max(first, low.toordinal()), last)))
            return
        for year, month in months:
            if (low.year, low.month) <= (year, month) <= (MAXYEAR, 12):
                days = (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))
                yield from (day for day in days if day >= low and self.has_day(day))

    def has_day(self, day: date) -> bool:
        """Whether the day passes every BY rule that speaks of days."""
        if self.months and day.month not in self.months:
            return False
        if self.month_days:
            length = monthrange(day.year, day.month)[1]
            if day.day not in self.month_days and day.day - length - 1 not in self.month_days:
                return False
        if (self.weekdays or self.nth) and not self._has_weekday(day):
            return False
        if self.year_days:
            number, length = _day_of_year(day)
            if number not in self.year_days and number - length - 1 not in self.year_days:
                return False
        if self.weeks:
            number, total = _week(day, self.week_start)
            return number in self.weeks or number - total - 1 in self.weeks
        return True

    def _has_weekday(self, day: date) -> bool:
        weekday = day.weekday()
        if weekday in self.weekdays:
            return True
        if not self.nth:
            return False
        if self.freq is Freq.YEARLY and not self.months:
            number, length = _day_of_year(day)
        else:
            number, length = day.day, monthrange(day.year, day.month)[1]
        return (weekday, (number + 6) // 7) in self.nth or (
            weekday,
            -((length - number) // 7 + 1),
        ) in self.nth

    def _first_of(self, days: Iterable[date], wall: datetime) -> datetime | None:
        """The first moment at or after `wall` of these days, none of which is earlier unless BYSETPOS counts them."""
        if self.positions:
            return self._first_position(list(days), wall)
        for day in days:
            moment = self._first_time(wall.time() if day == wall.date() else time())
            if moment is not None:
                return datetime.combine(day, moment)
        return None

    def _first_time(self, start: time) -> time | None:
        """The first time of day at or after `start` that BYHOUR, BYMINUTE and BYSECOND name."""
        for hour in self.hours:
            for minute in self.minutes if hour >= start.hour else ():
                if (hour, minute) >= (start.hour, start.minute):
                    for second in self.seconds:
                        if time(hour, minute, second) >= start:
                            return time(hour, minute, second)
        return None

    def _first_position(self, days: list[date], wall: datetime) -> datetime | None:
        per_minute = len(self.seconds)
        per_hour = per_minute * len(self.minutes)
        per_day = per_hour * len(self.hours)
        total = per_day * len(days)
        found = []
        for position in self.positions:
            index = position - 1 if position > 0 else total + position
            if 0 <= index < total:
                day, rest = divmod(index, per_day)
                hour, rest = divmod(rest, per_hour)
                minute, second = divmod(rest, per_minute)
                moment = time(self.hours[hour], self.minutes[minute], self.seconds[second])
                found.append(datetime.combine(days[day], moment))
        return min((moment for moment in found if moment >= wall), default=None)

    def _first_tick(self, wall: datetime) -> datetime | None:
        """`first` of an hourly, minutely or secondly rule: ticks from DTSTART, of which some are named."""
        step = _UNITS[self.freq] * self.interval
        tick = _step_to(self._floor(wall), self._floor(self.start), step)
        last = wall.date().toordinal() + _CYCLE_DAYS
        while tick.date().toordinal() <= last:
            day = self._first_day(tick.date())
            if day is None:
                return None
            resume = self._resume(tick) if day == tick.date() else datetime.combine(day, time())
            if resume is None:
                if found := self._in_tick(tick, wall):
                    return found
                resume = tick + step
            tick = _step_to(resume, tick, step)
        return None

    def _floor(self, wall: datetime) -> datetime:
        if self.freq is Freq.SECONDLY:
            return wall
        return wall.replace(second=0) if self.freq is Freq.MINUTELY else wall.replace(minute=0, second=0)

    def _meets_the_clock(self) -> bool:
        """Whether the ticks ever fall on a named time of day, whatever the date."""
        step = int(_UNITS[self.freq].total_seconds()) * self.interval
        stride = timedelta(seconds=math.gcd(step, 86_400))
        midnight = datetime.combine(self.start.date(), time())
        tick = _step_to(midnight, self._floor(self.start), stride)
        while tick < midnight + _DAY:
            resume = self._resume(tick)
            if resume is None:
                return True
            tick = _step_to(resume, tick, stride)
        return False

    def _first_day(self, day: date) -> date | None:
        """The first day from `day` on that passes `has_day`."""
        last = day.toordinal() + _CYCLE_DAYS
        while day.toordinal() <= last:
            if self.months and day.month not in self.months:
                day = (day.replace(day=1) + 31 * _DAY).replace(day=1)
            elif self.has_day(day):
                return day
            else:
                day += _DAY
        return None

    def _resume(self, tick: datetime) -> datetime | None:
        """Where to go on that day when the tick is not at a named time; None when it is."""
        if self.hours and tick.hour not in self.hours:
            return tick.replace(minute=0, second=0) + timedelta(hours=1)
        if self.freq > Freq.HOURLY and self.minutes and tick.minute not in self.minutes:
            return tick.replace(second=0) + timedelta(minutes=1)
        if self.freq > Freq.MINUTELY and self.seconds and tick.second not in self.seconds:
            return tick + timedelta(seconds=1)
        return None

    def _in_tick(self, tick: datetime, wall: datetime) -> datetime | None:
        """The first moment of one named tick at or after `wall`: BYMINUTE and BYSECOND divide it."""
        minutes = self.minutes if self.freq is Freq.HOURLY else (tick.minute,)
        seconds = (tick.second,) if self.freq is Freq.SECONDLY else self.seconds
        moments = [tick.replace(minute=m, second=s) for m in minutes for s in seconds]
        if self.positions:
            size = len(moments)
            indices = {p - 1 if p > 0 else size + p for p in self.positions}
            moments = [moments[i] for i in sorted(indices) if 0 <= i < size]
        return next((moment for moment in moments if moment >= wall), None)


def _step_to(target: datetime, origin: datetime, step: timedelta) -> datetime:
    """The first of the moments `origin` ± whole multiples of `step` at or after `target`."""
    return origin - (origin - target) // step * step


def _day_of_year(day: date) -> tuple[int, int]:
    """The day's number in its year, and the year's length."""
    length = 365 + (monthrange(day.year, 2)[1] == 29)
    return day.timetuple().tm_yday, length


def _week(day: date, week_start: int) -> tuple[int, int]:
    """The number of the day's week, and how many weeks that week's year has (RFC 5545: ISO 8601's rule).

    A week belongs to the year that has its fourth day; 28 December is always in the year's last week.
    """
    number, year = _week_number(day, week_start)
    return number, _week_number(date(year, 12, 28), week_start)[0]


def _week_number(day: date, week_start: int) -> tuple[int, int]:
    fourth = day + (3 - (day.weekday() - week_start) % 7) * _DAY
    return (fourth.timetuple().tm_yday - 1) // 7 + 1, fourth.year
