"""Cron fields in plain words, and what people misread in them. Fields come parsed-clean, in upper case."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rota.schedule.wording import DAYS, MONTHS, ORDINALS, clock, counted, listing, nth

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_SHORT_MONTHS = tuple(month[:3].upper() for month in MONTHS)
_MOST_TIMES = 6


def describe(fields: Sequence[str]) -> str | None:
    """`every 15 minutes, Mondays to Fridays`; None where the words would not be plainer than the text."""
    minute, hour, dom, month, dow = fields
    times = _times(minute, hour)
    days = _days(dom, month, dow)
    if times is None or days is None:
        return None
    if times.startswith("at "):
        return f"{days} {times}"
    return times if days == "every day" else f"{times}, {days}"


def _times(minute: str, hour: str) -> str | None:
    minutes, hours = _numbers(minute), _numbers(hour)
    if minutes and hours:
        moments = [clock(h, m) for h in hours for m in minutes]
        return f"at {listing(moments)}" if len(moments) <= _MOST_TIMES else None
    step, hour_step = _even_step(minute, 60), _even_step(hour, 24)
    first = minutes[0] if minutes and len(minutes) == 1 else None
    past = f" at {first} minute{'s' * (first != 1)} past" if first else ""
    if hour_step and first is not None:
        return f"every {counted(hour_step, 'hour')}{past}"
    if hour == "*" and step:
        return f"every {counted(step, 'minute')}"
    if hours and len(hours) == 1 and step:
        return f"every {counted(step, 'minute')} from {clock(hours[0], 0)} to {clock(hours[0], 60 - step)}"
    if span := re.fullmatch(r"(\d+)-(\d+)", hour):
        low, high = int(span[1]), int(span[2])
        if step:
            return f"every {counted(step, 'minute')} from {clock(low, 0)} to {clock(high, 60 - step)}"
        if first is not None:
            return f"every hour from {clock(low, first)} to {clock(high, first)}"
    return None


def _even_step(field: str, size: int) -> int | None:
    """The n of `*` (1) or `*/n` where every gap is the same, also across the wrap."""
    found = re.fullmatch(r"\*(?:/(\d+))?", field)
    step = int(found[1] or 1) if found else 0
    return step if step and size % step == 0 else None


def _numbers(field: str) -> list[int] | None:
    if not re.fullmatch(r"\d+(,\d+)*", field):
        return None
    return sorted({int(number) for number in field.split(",")})


def _days(dom: str, month: str, dow: str) -> str | None:
    months = "" if month == "*" else _names(month, _SHORT_MONTHS, MONTHS, base=1)
    if months is None or (dom != "*" and dow != "*"):
        return None
    if dom != "*":
        numbers = _days_of_month(dom)
        return f"the {numbers} of {months or 'every month'}" if numbers else None
    if dow == "*":
        return f"every day in {months}" if months else "every day"
    if special := _special_weekday(dow):
        return f"{special} of {months or 'every month'}"
    weekdays = _names(dow, _SHORT_DAYS, tuple(f"{DAYS[i - 1]}s" for i in range(8)), base=0)
    return weekdays and (f"{weekdays} in {months}" if months else weekdays)


def _days_of_month(dom: str) -> str | None:
    if dom in {"L", "LW"}:
        return "last day" if dom == "L" else "last weekday"
    numbers = _numbers(dom)
    return listing([nth(n) for n in numbers]) if numbers else None


def _special_weekday(dow: str) -> str | None:
    if not (found := re.fullmatch(r"(\w+)#([1-5])|(\d)L", dow)):
        return None
    day = _number(found[1] or found[3], _SHORT_DAYS, base=0)
    return f"the {ORDINALS[int(found[2] or -1)]} {DAYS[day - 1]}"


def _names(field: str, short: Sequence[str], full: Sequence[str], *, base: int) -> str | None:
    """`MON-FRI` as `Mondays to Fridays`, `1,7` as `January and July`."""
    words = []
    for part in field.split(","):
        if not (found := re.fullmatch(r"([0-9A-Z]+)(?:-([0-9A-Z]+))?", part)):
            return None
        ends = [full[_number(end, short, base=base) - base] for end in found.groups() if end]
        words.append(" to ".join(ends))
    return listing(words)


def _number(name: str, short: Sequence[str], *, base: int) -> int:
    return short.index(name) + base if name in short else int(name)


def warnings(fields: Sequence[str]) -> tuple[str, ...]:
    """What people misread in these fields, in whole sentences."""
    minute, hour, dom, month, dow = fields
    found = [_step_warning(minute, 60, "minute", "m"), _step_warning(hour, 24, "hour", "h")]
    found.append(_both_days_warning(dom, dow))
    if re.match(r"\*/0*[2-9]|\*/0*1\d", dom):
        found.append(
            f"day of month `{dom}` starts again on the 1st of each month: it is not every so many days"
        )
    if re.match(r"\*/0*[2-9]|\*/0*1\d", dow):
        found.append(f"day of week `{dow}` starts again on each Sunday: it is not every so many days")
    if month == dow == "*" and (numbers := _numbers(dom)) and numbers[0] > 28:
        found.append(f"months without a {nth(numbers[0])} are skipped; `L` is the last day of each month")
    return tuple(warning for warning in found if warning)


def _step_warning(field: str, size: int, unit: str, letter: str) -> str | None:
    found = re.fullmatch(r"\*/(\d+)", field)
    step = int(found[1]) if found else 1
    if size % step == 0:
        return None
    values = [str(value) for value in range(0, size, step)]
    if len(values) > 4:
        values[2:-1] = ["…"]
    runs = f"only at {unit} 0" if len(values) == 1 else f"at {unit}s {', '.join(values)}"
    return f"{unit} `{field}` runs {runs} and starts again; for every {step} {unit}s write `every {step}{letter}`"


def _both_days_warning(dom: str, dow: str) -> str | None:
    if "*" in {dom, dow}:
        return None
    if dom.startswith("*") or dow.startswith("*"):
        return f"day of month `{dom}` and day of week `{dow}` must both match, because one of them starts with `*`"
    return f"it runs when either day of month `{dom}` or day of week `{dow}` matches"
