"""How far back somebody looks: `7d`, `yesterday`, `2026-11-01`."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from rota.model.errors import RotaError, ScheduleError
from rota.model.instants import Micros, to_micros
from rota.schedule.clocks import local_time
from rota.schedule.durations import parse_duration

_DAYS = {"today": 0, "yesterday": 1}


def parse_since(text: str, timezone: str, now: Micros) -> Micros:
    """The instant from which on is meant: so long before `now`, or a day's beginning (or a moment) in the zone.

    Raises ScheduleError.
    """
    said = text.strip().lower()
    here = local_time(now, timezone)
    if said in _DAYS:
        return to_micros(datetime.combine(here.date() - timedelta(_DAYS[said]), time(), here.tzinfo))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        pass
    else:
        return to_micros(moment if moment.tzinfo is not None else moment.replace(tzinfo=here.tzinfo))
    try:
        return max(0, now - parse_duration(said) // timedelta(microseconds=1))
    except RotaError:
        raise ScheduleError(
            f"cannot read since when {text[:40]!r} is",
            hint="write how long ago (7d, 36h), a day (2026-11-01), `today` or `yesterday`",
        ) from None
