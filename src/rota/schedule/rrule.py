"""Calendar rules (RFC 5545 RRULE) as schedules."""

from __future__ import annotations

from bisect import bisect_left
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from rota.model.errors import ScheduleError
from rota.schedule.base import Kind, Schedule
from rota.schedule.recurrence import Freq, Rule
from rota.schedule.recurrence_text import read
from rota.schedule.walls import next_instant
from rota.schedule.wording import DAYS, ORDINALS, clock, counted, listing, nth, quote

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)
_MOST_TIMES = 6
_UNITS = ("year", "month", "week", "day", "hour", "minute", "second")


class RRule(Schedule):
    """A recurrence rule, reckoned in the zone's wall time and mapped to instants like a fixed-time job.

    So an hourly rule does not run in the second pass of a repeated hour; `every 1h` does. DTSTART alone
    is not an occurrence: only what the rule names is (as in dateutil).
    """

    kind: ClassVar[Kind] = "rrule"

    def __init__(self, text: str, zone: ZoneInfo, anchor: datetime | None) -> None:
        super().__init__(text, zone)
        self._recurrence = read(text, zone, anchor)
        self._counted: tuple[datetime, ...] = ()  # with COUNT: its first times, as far as anybody asked
        self._check_that_it_fires()
        if self._recurrence.count is not None and not self._recurrence.has_start:
            self.warnings = ("COUNT counts from DTSTART, which is missing: it is 1996-01-01T00:00 then",)

    def _check_that_it_fires(self) -> None:
        rule, until = self._recurrence.rule, self._recurrence.until
        with suppress(OverflowError):  # past the year 9999
            if rule.fires():
                first = next_instant(self.zone, rule.first, rule.start - timedelta(days=2), fixed=True)
                if until is None or (first is not None and first <= until):
                    return
                raise ScheduleError(
                    f"{quote(self.text)} can never fire: UNTIL is before its first time",
                    hint="choose a later UNTIL",
                )
        raise ScheduleError(
            f"{quote(self.text)} can never fire: no date matches all of its parts",
            hint="check BYMONTHDAY against BYMONTH, and INTERVAL against the BY parts and DTSTART",
        )

    def _next(self, after: datetime) -> datetime | None:
        found = next_instant(self.zone, self._first_wall, after, fixed=True)
        until = self._recurrence.until
        return None if found is None or (until is not None and found > until) else found

    def _first_wall(self, wall: datetime) -> datetime | None:
        rule, count = self._recurrence.rule, self._recurrence.count
        if count is None:
            return rule.first(wall)
        known = list(self._counted)
        while len(known) < count and not (known and known[-1] >= wall):
            following = rule.first(known[-1] + _SECOND if known else rule.start)
            if following is None:
                break
            known.append(following)
        self._counted = tuple(known)
        place = bisect_left(known, wall)
        return known[place] if place < len(known) else None

    def describe(self) -> str:
        """`every 2 weeks on Mondays and Wednesdays at 09:00`; the text itself when the rule is intricate."""
        rule = self._recurrence.rule
        bounded = self._recurrence.count is not None or self._recurrence.until is not None
        times = [clock(h, m, s) for h in rule.hours for m in rule.minutes for s in rule.seconds]
        days = _days(rule, self._recurrence.weekday_words)
        if bounded or days is None or not 0 < len(times) <= _MOST_TIMES:
            return self.text
        return f"{days} at {listing(times)}"


def _days(rule: Rule, weekday_words: tuple[str, ...]) -> str | None:
    if rule.freq > Freq.DAILY or rule.months or rule.year_days or rule.weeks or rule.positions:
        return None
    every = f"every {counted(rule.interval, _UNITS[rule.freq])}"
    if rule.freq is Freq.DAILY and not (rule.weekdays or rule.month_days):
        return every
    if rule.freq is Freq.WEEKLY and not rule.month_days:
        names = listing([f"{DAYS[day]}s" for day in sorted(rule.weekdays)])
        return names if rule.interval == 1 else f"{every} on {names}"
    if rule.freq is Freq.MONTHLY and not rule.weekdays and (named := _named_days(rule, weekday_words)):
        return f"{named} of {every}"
    return None


def _named_days(rule: Rule, weekday_words: tuple[str, ...]) -> str | None:
    """`the 1st and 15th`, `the last Friday`."""
    if rule.nth and not rule.month_days and len(weekday_words) == 1:
        ((weekday, number),) = rule.nth
        return f"the {ORDINALS[number]} {DAYS[weekday]}" if number in ORDINALS else None
    if rule.month_days and not rule.nth and min(rule.month_days) > 0:
        return f"the {listing([nth(day) for day in sorted(rule.month_days)])}"
    return "the last day" if rule.month_days == {-1} and not rule.nth else None
