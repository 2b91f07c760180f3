"""Instants in words for people: local time with its zone, 'in 3 h', '5 min ago'."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from rota.model.errors import RotaError
from rota.model.instants import SECOND, Micros, age, to_micros
from rota.schedule import local_time


def local(instant: Micros, timezone: str) -> str:
    """'Mon 23 Nov 2026 08:00 London'."""
    moment = local_time(instant, timezone)
    seconds = f":{moment:%S}" if moment.second else ""
    return f"{moment:%a %d %b %Y %H:%M}{seconds} {city(timezone)}"


def upcoming(instant: Micros, timezone: str, now: Micros) -> str:
    """'in 3 h 5 min, Mon 08:00 London'; with the date where the weekday alone would not do."""
    moment, today = local_time(instant, timezone), local_time(now, timezone)
    days = (moment.date() - today.date()).days
    day = f"{moment:%a}" if days < 7 else f"{moment:%a %-d %b}" if days < 300 else f"{moment:%a %-d %b %Y}"
    seconds = f":{moment:%S}" if moment.second else ""
    return f"{until(instant, now)}, {day} {moment:%H:%M}{seconds} {city(timezone)}"


def brief(instant: Micros, timezone: str, now: Micros) -> str:
    """As short as it is clear beside a table's other rows: '08:00' today, 'Mon 23 Nov 08:00', '23 Nov 2027 08:00'."""
    moment, today = local_time(instant, timezone), local_time(now, timezone)
    clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    if moment.date() == today.date():
        return clock
    return f"{moment:%a %d %b} {clock}" if moment.year == today.year else f"{moment:%d %b %Y} {clock}"


def zoned(instant: Micros, timezone: str) -> datetime:
    """The instant on the clocks of a zone."""
    return local_time(instant, timezone)


def parse_time(text: str, timezone: str, now: Micros) -> Micros:
    """What a person means by a time: ISO 8601, `08:00` (today), `yesterday 08:00`. Raises RotaError."""
    moment = local_time(now, timezone)
    words = text.strip().lower().split()
    days = {"today": 0, "yesterday": -1, "tomorrow": 1}
    shift = days[words.pop(0)] if words and words[0] in days else None
    rest = " ".join(words)
    try:
        if shift is not None or (len(rest) <= 5 and ":" in rest):
            clock = time.fromisoformat(rest.zfill(5) if rest else "00:00")
            day = moment.date() + timedelta(days=shift or 0)
            return to_micros(datetime.combine(day, clock, moment.tzinfo))
        found = datetime.fromisoformat(text.strip())
        return to_micros(found if found.tzinfo is not None else found.replace(tzinfo=moment.tzinfo))
    except ValueError:
        raise RotaError(
            f"cannot read the time {text!r}",
            hint="write 2026-11-21T08:00, 08:00, or `yesterday 08:00`",
            code="bad_time",
        ) from None


def city(timezone: str) -> str:
    """The readable part of a zone's name: Europe/London -> London."""
    return timezone.rsplit("/", 1)[-1].replace("_", " ")


def until(instant: Micros, now: Micros) -> str:
    """'in 3 h 5 min', 'now'."""
    return f"in {age(instant - now)}" if instant > now else "now"


def took(span: Micros) -> str:
    """How long something takes: '0.4 s', '12 s', '3 min 20 s', '2 h 5 min'."""
    if span < 10 * SECOND:
        return f"{span / SECOND:.1f} s"
    seconds = span // SECOND
    if 60 <= seconds < 3600 and seconds % 60:
        return f"{seconds // 60} min {seconds % 60} s"
    if seconds < 86400:
        return age(span)
    return f"{seconds // 3600:,} h" + (f" {seconds % 3600 // 60} min" if seconds % 3600 >= 60 else "")


def ago(instant: Micros, now: Micros) -> str:
    """'5 min ago'."""
    return f"{age(max(0, now - instant))} ago"
