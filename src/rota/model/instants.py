"""Instants: integer microseconds since 1970-01-01T00:00Z, the only form of time in the state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

Micros = int
SECOND: Micros = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def to_micros(moment: datetime) -> Micros:
    """Microseconds UTC of an aware datetime; exact."""
    if moment.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return (moment - _EPOCH) // _TICK


def from_micros(instant: Micros) -> datetime:
    """The aware datetime (UTC) of an instant; exact."""
    return _EPOCH + timedelta(microseconds=instant)


def micros(seconds: float) -> Micros:
    """Seconds as microseconds."""
    return round(seconds * SECOND)


def age(span: Micros) -> str:
    """A span of time in words: '45 s', '3 min', '2 h 5 min', '4 days'."""
    seconds = span // SECOND
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 86400:
        minutes = seconds % 3600 // 60
        return f"{seconds // 3600} h" + (f" {minutes} min" if minutes else "")
    days = seconds // 86400
    return f"{days} day" + ("s" if days != 1 else "")
