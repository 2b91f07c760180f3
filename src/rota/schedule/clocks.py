"""Instants on the clocks of a zone."""

from __future__ import annotations

from datetime import UTC, datetime

from rota.model.errors import ZoneError
from rota.model.instants import Micros, from_micros
from rota.schedule.zones import zone


def local_time(instant: Micros, timezone: str) -> datetime:
    """The instant in `timezone`; in UTC where that zone has vanished from the system since it was checked."""
    moment = from_micros(instant)
    try:
        return moment.astimezone(zone(timezone))
    except ZoneError:
        return moment.astimezone(UTC)
