"""From wall times to instants: what a moved clock does to a schedule that is written in wall time.

Two sorts of schedule (the rule is Debian cron's):

- a *fixed-time* one names clock times. In a gap it runs once, at the instant right after the gap; in a
  repeated stretch once, in the first pass. A gap of over three hours (a zone that changed the side of
  the date line) is no gap to make up for.
- a *wildcard* one names a rhythm and follows real elapsed time: nothing in the gap, and both passes.

Wall times and instants (UTC) are naive datetimes here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rota.schedule.zones import offset, to_wall, transition

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FirstWall = Callable[[datetime], datetime | None]
"""A schedule before zones: its first wall time at or after a given one."""

LONGEST_GAP = timedelta(hours=3)
TICK = timedelta(microseconds=1)

_NONE = timedelta(0)
_FAR = timedelta(days=3)
_SAFE = timedelta(days=2)  # more than any offset from UTC, and than any jump of a clock
_REPEATS = timedelta(hours=25)  # no clock was ever put back by more than 24 hours


def next_instant(zone: ZoneInfo, first_wall: FirstWall, after: datetime, *, fixed: bool) -> datetime | None:
    """The first instant strictly after `after` at which the schedule `first_wall` calls."""
    known, now, shift = after, after + TICK, offset(zone, after)
    if fixed:
        now = max(now, _end_of_repeat(zone, after))
    while True:
        wall = first_wall(now + shift)
        if wall is None:
            return None
        if wall - (now + shift) > _FAR:
            leap = _leap(first_wall, now + shift, wall, fixed=fixed)
            if leap > now:
                known, now, shift = leap, leap, offset(zone, leap)
                continue
        change = transition(zone, known, wall - shift)
        if change is None:
            return wall - shift
        known, now, shift = change.at, change.at, change.after
        if fixed:
            if _NONE < change.jump <= LONGEST_GAP and wall < change.at + change.after:
                return change.at
            now += max(-change.jump, _NONE)


def _leap(first_wall: FirstWall, here: datetime, wall: datetime, *, fixed: bool) -> datetime:
    """An instant safely before the far-off `wall`, so that the years between need no search.

    A clock put back may bring wall times of the last day again, which only a wildcard schedule heeds.
    """
    if not fixed:
        wall = first_wall(here - _REPEATS) or wall
    return wall - _SAFE


def _end_of_repeat(zone: ZoneInfo, instant: datetime) -> datetime:
    """When the second pass that `instant` lies in is over; `instant` itself when it lies in none."""
    wall = to_wall(zone, instant)
    if not wall.fold:
        return instant
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() or _NONE for fold in (0, 1))
    change = transition(zone, instant - (first - second), instant)
    return instant if change is None else change.at - change.jump


def instant_of(zone: ZoneInfo, wall: datetime) -> datetime | None:
    """The instant of one wall time, as a fixed-time schedule sees it; None inside a gap of over 3 hours."""
    wall = wall.replace(fold=0)
    instant = wall - (wall.replace(tzinfo=zone).utcoffset() or _NONE)
    gap = to_wall(zone, instant).replace(fold=0) - wall
    if gap == _NONE:
        return instant
    change = transition(zone, instant - gap, instant)
    return change.at if change is not None and change.jump <= LONGEST_GAP else None


def is_repeated(zone: ZoneInfo, wall: datetime) -> bool:
    """Whether the zone's clock shows this wall time twice."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).utcoffset() or _NONE for fold in (0, 1))
    return first > second
