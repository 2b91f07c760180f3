"""The moments of a schedule on both sides of an instant."""

from __future__ import annotations

from rota.model.instants import DAY, MINUTE, Micros
from rota.planning.due import next_due
from rota.schedule import Schedule

# A schedule of 29 February may not have called for eight years (none in 1900 or 2100).
REACH: Micros = 8 * 366 * DAY


def last_due(schedule: Schedule, before: Micros) -> Micros | None:
    """The last due instant strictly before `before`; None when there is none within eight years."""
    span = MINUTE
    while not _calls_between(schedule, before - span, before):
        if span >= REACH:
            return None
        span = min(2 * span, REACH)
    early, late = before - span, before - 1  # a call lies after the one, none after the other
    while late - early > 1:
        middle = (early + late) // 2
        early, late = (middle, late) if _calls_between(schedule, middle, before) else (early, middle)
    return next_due(schedule, early)


def _calls_between(schedule: Schedule, after: Micros, before: Micros) -> bool:
    moment = next_due(schedule, after)
    return moment is not None and moment < before
