"""From a schedule's text to the schedule."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from rota.model.errors import ScheduleError
from rota.schedule.cron import Cron
from rota.schedule.durations import parse_duration
from rota.schedule.simple import At, Every, Manual, Reboot
from rota.schedule.walls import instant_of
from rota.schedule.wording import closest, quote
from rota.schedule.zones import zone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from rota.schedule.base import Schedule

LONGEST_TEXT: Final = 1000

_YEARLY: Final = "0 0 1 1 *"
NAMES: Final = {
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "midnight": "0 0 * * *",
    "weekly": "0 0 * * 1",  # a week starts on Monday; `@weekly` below is cron's, on Sunday
    "monthly": "0 0 1 * *",
    "yearly": _YEARLY,
    "annually": _YEARLY,
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": _YEARLY,
    "@annually": _YEARLY,
}
_FORMS: Final = (
    "write cron (`0 8 * * 1-5`), `every 90m`, `at 2026-12-01T09:00`, `rrule:FREQ=...`, "
    "daily, hourly, weekly, monthly, yearly, @reboot or manual"
)


def parse(text: str, tz: str | None = "UTC", anchor: datetime | None = None) -> Schedule:
    """The schedule that `text` writes, in the zone `tz` (None: UTC).

    Forms: five-field cron; `@hourly @daily @midnight @weekly @monthly @yearly @annually @reboot`; the
    names `hourly daily weekly monthly yearly manual`; `every DURATION`; `at DATE-TIME`; `rrule:RULE`.
    Names are case-insensitive. `anchor` is from where `every` counts (default: the Unix epoch) and the
    DTSTART of a rule that has none (default: 1996-01-01T00:00 in the zone); a naive one is wall time.

    Raises ScheduleError (ZoneError for `tz`) with a hint for what cannot be read and what can never fire.
    """
    place = zone("UTC" if tz is None else tz)
    source = text.strip()
    if not source:
        raise ScheduleError("`` is no schedule: it is empty", hint=_FORMS)
    if len(source) > LONGEST_TEXT:
        raise ScheduleError(
            f"{quote(source)} is too long for a schedule", hint=f"at most {LONGEST_TEXT} characters"
        )
    try:
        return _read(source, place, None if anchor is None else _instant(anchor, place))
    except OverflowError:
        raise ScheduleError(
            f"{quote(source)} lies outside the calendar", hint="choose a year between 1900 and 9990"
        ) from None


def _read(source: str, place: ZoneInfo, start: datetime | None) -> Schedule:
    lowered = source.lower()
    if lowered == "manual":
        return Manual(source, place)
    if lowered == "@reboot":
        return Reboot(source, place)
    if lowered in NAMES:
        return Cron(source, NAMES[lowered], place)
    if re.match(r"every\b", lowered):
        return _every(source, place, start)
    if re.match(r"at\b", lowered):
        return At(source, place)
    if re.match(r"rrule:|freq=|dtstart[;:=]", lowered):
        from rota.schedule.rrule import RRule  # rare, and half of the time that this room takes to import

        return RRule(source, place, start)
    if len(source.split()) == 1 or re.match(r"@|(cron_)?tz=", lowered) or not re.search(r"[\d*?]", source):
        raise ScheduleError(f"{quote(source)} is no schedule", hint=_guess(lowered))
    return Cron(source, source, place)


def _instant(anchor: datetime, place: ZoneInfo) -> datetime:
    """The anchor as naive UTC."""
    if anchor.utcoffset() is not None:
        return anchor.astimezone(UTC).replace(tzinfo=None)
    instant = instant_of(place, anchor.replace(tzinfo=None))
    if instant is None:
        raise ScheduleError(
            f"there is no {quote(anchor.isoformat())} in {place.key}", hint="choose another anchor"
        )
    return instant


def _every(source: str, place: ZoneInfo, anchor: datetime | None) -> Schedule:
    try:
        return Every(source, place, anchor)
    except ScheduleError as error:
        if found := re.fullmatch(r"(?i)every:?\s+(minute|hour|day|week|month|year)s?", source):
            unit = found[1].lower()
            error.hint = {
                "minute": "write `every 1m`, or `* * * * *`",
                "hour": "write `hourly` (on the hour), or `every 1h`",
                "day": "write `daily` (at midnight), `0 8 * * *` (at 08:00), or `every 24h`",
            }.get(unit, f"write `{unit}ly`")
        elif re.search(r"(?i)\bat\b|day|\d:\d\d", source):
            error.hint = (
                "for a time of day write cron: `0 8 * * *` is daily at 08:00, `0 8 * * 1-5` on weekdays"
            )
        raise


def _guess(lowered: str) -> str:
    """What the writer of a text of no known form may have meant."""
    if re.match(r"(cron_)?tz=", lowered):
        return "the zone has its own key: `timezone: Europe/London`"
    if re.match(r"@every\b", lowered):
        return f"write it without the @: `{lowered[1:]}`"
    if re.match(r"\d{4}-\d\d-\d\d", lowered):
        return f"for one moment write `at {lowered.upper()}`"
    try:
        parse_duration(lowered)
    except ScheduleError:
        guess = closest(lowered, [*NAMES, "manual", "@reboot"])
        return f"did you mean `{guess}`?" if guess else _FORMS
    return f"for an interval write `every {lowered}`"
