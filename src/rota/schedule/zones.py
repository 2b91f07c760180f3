"""Time zones by name, and the instants at which a zone's clock is moved.

Instants here are naive datetimes in UTC: aware ones of one zone are subtracted and compared by wall time.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from rota.model.errors import ZoneError
from rota.schedule.wording import closest, quote

_ORIGIN = datetime(1970, 1, 1)  # noqa: DTZ001  naive UTC, as everywhere below
# In the tz database no two changes of an offset are closer than 6.9 days, so a probe every two days
# cannot step over a pair that cancels out; a test holds the database to it.
_PROBE = timedelta(days=2)
_CHUNK = 32 * _PROBE
_SECOND = timedelta(seconds=1)
# Files that some systems keep among their zones: another zone per machine, or clocks with leap seconds.
_NOT_EVERYWHERE = ("localtime", "posixrules", "Factory", "posix/", "right/")
_ABBREVIATION = 4  # BST, CEST: too short to guess a place from


class Transition(NamedTuple):
    """The clock of a zone jumps from offset `before` to offset `after` at the instant `at`."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def jump(self) -> timedelta:
        """How far the wall clock jumps: a gap when positive, a repeated stretch when negative."""
        return self.after - self.before


def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name such as `Europe/London`; ZoneError with a guess when there is none.

    zoneinfo reads the system's database and, where that is missing, the tzdata package.
    """
    name = name.strip()
    try:
        if not name.startswith(_NOT_EVERYWHERE):
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        pass
    raise ZoneError(f"{quote(name)} is not a time zone", hint=_zone_hint(name))


def _zone_hint(name: str) -> str:
    if shift := re.fullmatch(r"(?i)(?:UTC|GMT)?([+-])0?(\d{1,2})(?::?00)?", name):
        sign = "-" if shift[1] == "+" else "+"
        return f"write Etc/GMT{sign}{shift[2]} (its sign is reversed), or a place such as Europe/London"
    names = sorted(known for known in available_timezones() if not known.startswith(_NOT_EVERYWHERE))
    wanted = name.lower().replace(" ", "_")
    by_lower = {known.lower(): known for known in names}
    by_city = {low.rpartition("/")[2]: known for low, known in by_lower.items() if "/" in low}
    for spelling in (by_lower, by_city):
        if wanted in spelling:
            return f"did you mean {spelling[wanted]}?"
    for spelling in (by_lower, by_city):
        if len(wanted) > _ABBREVIATION and (guess := closest(wanted, spelling)):
            return f"did you mean {spelling[guess]}?"
    return "use a place's name such as Europe/London or America/New_York, or UTC"


def to_wall(zone: ZoneInfo, instant: datetime) -> datetime:
    """The zone's wall time at an instant; `fold` is 1 in the second pass of a repeated stretch."""
    return zone.fromutc(instant.replace(tzinfo=zone)).replace(tzinfo=None)


def offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    """How far the zone's wall clock is ahead of UTC at an instant."""
    return to_wall(zone, instant) - instant


def transition(zone: ZoneInfo, after: datetime, until: datetime) -> Transition | None:
    """The first transition in (after, until]."""
    first, last = (after - _ORIGIN) // _CHUNK, (until - _ORIGIN) // _CHUNK
    for number in range(first, last + 1):
        for change in _chunk(zone, number):
            if after < change.at <= until:
                return change
    return None


@lru_cache(maxsize=4096)
def _chunk(zone: ZoneInfo, number: int) -> tuple[Transition, ...]:
    """The transitions in the `number`th stretch of 64 days since 1970; zoneinfo does not list them."""
    start = _ORIGIN + number * _CHUNK
    probes = [start + i * _PROBE for i in range(_CHUNK // _PROBE + 1)]
    offsets = [offset(zone, probe) for probe in probes]
    found = []
    for (low, before), (high, after) in pairwise(zip(probes, offsets, strict=True)):
        if before != after:
            found.append(Transition(_bisect(zone, low, high, before), before, after))
    return tuple(found)


def _bisect(zone: ZoneInfo, low: datetime, high: datetime, before: timedelta) -> datetime:
    """The first second in (low, high] at which the offset is no longer `before`."""
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        if offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high
