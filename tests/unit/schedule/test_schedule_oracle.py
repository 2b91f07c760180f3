"""Cron against brute force: a walk over every minute around a clock change, by the rules alone.

The oracle shares nothing with the implementation: it reads the fields itself, knows offsets only from
`utcoffset`, and finds a run by looking at each minute of real time:

- a wildcard job runs in every minute whose wall time matches;
- a fixed-time job runs in every minute whose wall time matches and was not seen before, and in the first
  minute after a gap of at most three hours when one of the skipped minutes matches.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from rota.schedule import parse

MINUTE = timedelta(minutes=1)
BEFORE, WATCHED = timedelta(hours=20), timedelta(hours=60)

CHANGES = [
    "Europe/London 2026-03-29",
    "Europe/London 2026-10-25",
    "America/New_York 2026-03-08",
    "America/New_York 2026-11-01",
    "Australia/Lord_Howe 2026-04-05",
    "Australia/Lord_Howe 2026-10-04",
    "Pacific/Chatham 2026-04-05",
    "Pacific/Chatham 2026-09-27",
    "America/St_Johns 2010-03-14",
    "America/St_Johns 2010-11-07",
    "Pacific/Apia 2011-12-30",
    "Pacific/Kwajalein 1993-08-21",
    "Pacific/Kwajalein 1969-09-30",
    "America/Santiago 2026-04-05",
    "America/Santiago 2026-09-06",
    "America/Asuncion 2023-10-01",
    "Asia/Beirut 2025-10-26",
    "Africa/Cairo 2026-04-24",
    "Africa/Casablanca 2026-02-15",
    "Africa/Casablanca 2026-03-22",
    "America/Sao_Paulo 2018-02-18",
    "America/Sao_Paulo 2018-11-04",
    "Asia/Tehran 2022-03-22",
    "Asia/Kathmandu 1986-01-01",
    "Asia/Kolkata 2026-03-29",
    "Asia/Pyongyang 2015-08-15",
    "Asia/Pyongyang 2018-05-05",
    "Antarctica/Troll 2026-03-29",
    "Antarctica/Troll 2026-10-25",
    "Antarctica/Casey 2009-10-18",
    "Antarctica/Casey 2010-03-05",
]
EXPRESSIONS = [
    "0 0 * * *",
    "30 0 * * *",
    "30 1 * * *",
    "0 2 * * *",
    "30 2 * * 0",
    "45 23 * * *",
    "0 12 * * *",
    "0,30 1,2 * * *",
    "15 0-4 * * *",
    "0-59/10 0-23 * * *",
    "5 2,3 */2 * *",
    "0 0 30 * *",
    "* * * * *",
    "* 0 * * *",
    "* 2,3 * * *",
    "*/15 * * * *",
    "0 * * * *",
    "30 */2 * * *",
    "*/20 0-3 * * 6,0",
]


@dataclass(frozen=True)
class Minute:
    instant: datetime
    wall: datetime
    skipped: tuple[datetime, ...]
    repeated: bool


@cache
def minutes_around(change: str) -> list[Minute]:
    name, day = change.split()
    zone = ZoneInfo(name)
    first = datetime.fromisoformat(day).replace(tzinfo=UTC) - BEFORE

    def wall_at(instant: datetime) -> datetime:
        return instant.astimezone(zone).replace(tzinfo=None, fold=0)

    seen: set[datetime] = set()
    minutes = []
    instant = first - timedelta(hours=26)
    while instant < first + WATCHED:
        wall, last = wall_at(instant), wall_at(instant - MINUTE)
        gap = wall - last - MINUTE
        made_up_for = timedelta(0) < gap <= timedelta(hours=3)
        skipped = tuple(last + MINUTE * (i + 1) for i in range(gap // MINUTE)) if made_up_for else ()
        if instant >= first:
            minutes.append(Minute(instant, wall, skipped, wall in seen))
        seen.add(wall)
        instant += MINUTE
    return minutes


def values(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        start, _, end = (f"{low}-{high}" if span == "*" else span).partition("-")
        found.update(range(int(start), int(end or start) + 1, int(step or 1)))
    return found


def expected(expression: str, change: str) -> list[datetime]:
    fields = expression.split()
    minute, hour, dom, month, dow = (
        values(field, *limits)
        for field, limits in zip(fields, [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)], strict=True)
    )
    fixed = not fields[0].startswith("*") and not fields[1].startswith("*")
    both = fields[2].startswith("*") or fields[4].startswith("*")

    def matches(wall: datetime) -> bool:
        if wall.minute not in minute or wall.hour not in hour or wall.month not in month:
            return False
        by_date, by_day = wall.day in dom, bool({wall.isoweekday(), wall.isoweekday() % 7} & dow)
        return (by_date and by_day) if both else (by_date or by_day)

    if not fixed:
        return [m.instant for m in minutes_around(change) if matches(m.wall)]
    return [
        m.instant
        for m in minutes_around(change)
        if (matches(m.wall) and not m.repeated) or any(matches(wall) for wall in m.skipped)
    ]


@pytest.mark.parametrize("change", CHANGES)
def test_cron_equals_brute_force(change: str) -> None:
    around = minutes_around(change)
    for expression in EXPRESSIONS:
        schedule, found = parse(expression, change.split(maxsplit=1)[0]), []
        moment = schedule.next(around[0].instant - timedelta(microseconds=1))
        while moment is not None and (instant := moment.astimezone(UTC)) <= around[-1].instant:
            found.append(instant)
            moment = schedule.next(instant)
        assert found == expected(expression, change), expression


@pytest.mark.parametrize("change", CHANGES)
def test_it_does_not_matter_when_it_is_asked(change: str) -> None:
    """From any instant, also half way through a minute, the answer is the first run after it."""
    around = minutes_around(change)
    for expression in EXPRESSIONS[::3]:
        schedule, left = parse(expression, change.split(maxsplit=1)[0]), expected(expression, change)
        for minute in around[::17]:
            asked = minute.instant + timedelta(seconds=29, microseconds=1)
            left = [instant for instant in left if instant > asked]
            following = schedule.next(asked)
            if left:
                assert following is not None
                # in UTC: Python never calls a time of a repeated hour equal to one of another zone
                assert following.astimezone(UTC) == left[0], (expression, asked)
