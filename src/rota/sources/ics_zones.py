"""The time zones that calendars name: IANA names, Windows names, vendors' prefixes, and zones of their own."""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

_UTC_NAMES = frozenset({"utc", "z", "gmt", "coordinated universal time", "tzone://microsoft/utc"})


@lru_cache(maxsize=256)
def zone_named(tzid: str) -> ZoneInfo | None:
    """The zone that a TZID or X-WR-TIMEZONE means; None when only a VTIMEZONE can tell.

    Windows names are looked up before the calendar's own VTIMEZONE, which for them has one year's
    rules and starts in 1601. Of a name such as /freeassociation.sourceforge.net/Europe/London the end counts.
    """
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    name = tzid.strip(" \"'/")
    if name.lower() in _UTC_NAMES:
        return ZoneInfo("UTC")
    name = WINDOWS_TO_OLSON.get(name, name)
    parts = name.split("/")
    for start in range(len(parts)):
        try:
            return ZoneInfo("/".join(parts[start:]))
        except (LookupError, ValueError, OSError):
            continue
    return None


def place(moment: datetime) -> str:
    """What to call the zone of an aware datetime: `New York`, or `UTC+09:00` where it has no name."""
    key = moment.tzinfo.key if isinstance(moment.tzinfo, ZoneInfo) else ""
    if "/" in key and not key.startswith("Etc/"):
        return key.rpartition("/")[2].replace("_", " ")
    return _offset(moment)


def _offset(moment: datetime) -> str:
    text = f"{moment:%z}"
    return "UTC" if text in ("+0000", "-0000") else f"UTC{text[:3]}:{text[3:5]}"


def attached(moment: datetime, tzid: str | None, home: tzinfo) -> tuple[datetime, bool]:
    """The moment in the zone that it was meant in, and whether its `tzid` was known.

    A floating moment, or one of an unknown zone, is one of `home`.
    """
    if tzid and (known := zone_named(tzid)):
        return moment.replace(tzinfo=known), True
    if moment.tzinfo is None:
        return moment.replace(tzinfo=home), not tzid
    return moment, True
