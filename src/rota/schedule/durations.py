"""Lengths of time as people write them: `90m`, `1h30m`, `2 days`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from rota.model.errors import ScheduleError
from rota.schedule.wording import quote

LONGEST: Final = timedelta(days=36525)
_SECOND: Final = timedelta(seconds=1)
_UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": _SECOND,
    "ms": timedelta(milliseconds=1),
}
_SPELLINGS: Final = {
    **dict.fromkeys(("w", "week", "weeks"), "w"),
    **dict.fromkeys(("d", "day", "days"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), "ms"),
}
_PART: Final = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([a-z]+)\s*,?")
_EXAMPLES: Final = "write a number and a unit (w, d, h, m, s), such as 90m, 4h, 2d or 1h30m"


def parse_duration(text: str | int, *, minimum: timedelta = _SECOND, bare: str | None = None) -> timedelta:
    """The length of time that `text` names, in `w d h m s ms` or their words, the larger unit first.

    A number without a unit is an error unless `bare` names its unit (`bare="s"`): `timeout: 5` is read
    as minutes by one half of its readers. Raises ScheduleError when the text cannot be read, or when it
    means less than `minimum` or more than a century.
    """
    quoted = quote(str(text))
    source = str(text).strip().lower()
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", source):
        if bare is None:
            raise ScheduleError(
                f"{quoted} has no unit", hint=f"say which one: {source}s, {source}m, {source}h or {source}d"
            )
        source += bare
    length = _sum(source, quoted)
    if length < minimum:
        raise ScheduleError(
            f"{quoted} is too short", hint=f"the shortest length here is {format_duration(minimum)}"
        )
    if length > LONGEST:
        raise ScheduleError(f"{quoted} is too long", hint="the longest length of time is 100 years")
    return length


def _sum(source: str, quoted: str) -> timedelta:
    if not source:
        raise ScheduleError(f"{quoted} is no length of time: it is empty", hint=_EXAMPLES)
    total, position, last = timedelta(0), 0, None
    while position < len(source):
        part = _PART.match(source, position)
        unit = _SPELLINGS.get(part[2]) if part else None
        if part is None or unit is None:
            raise ScheduleError(f"{quoted} is no length of time", hint=_EXAMPLES)
        size = _UNITS[unit]
        if last is not None and size >= last:
            raise ScheduleError(
                f"{quoted}: its units are not in order", hint="write the larger unit first: 1h30m"
            )
        try:
            total += float(part[1]) * size if "." in part[1] else int(part[1]) * size
        except OverflowError:
            raise ScheduleError(
                f"{quoted} is too long", hint="the longest length of time is 100 years"
            ) from None
        position, last = part.end(), size
    return total


def format_duration(length: timedelta) -> str:
    """The shortest text that `parse_duration` reads back as `length`: `1h30m`, `2d`, `500ms`; `0s` for none."""
    rest, parts = length, []
    for unit, size in _UNITS.items():
        if unit == "w" and rest % size:  # 10d reads better than 1w3d
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
