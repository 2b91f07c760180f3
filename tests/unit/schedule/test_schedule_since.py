"""How far back somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rota.model.errors import ScheduleError
from rota.model.instants import from_micros, to_micros
from rota.schedule.since import parse_since

NOW = to_micros(datetime(2026, 3, 29, 12, 0, tzinfo=UTC))  # clocks went forward this morning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", "2026-03-22T12:00:00+00:00"),
        ("36h", "2026-03-28T00:00:00+00:00"),
        (" 2 Weeks ", "2026-03-15T12:00:00+00:00"),
        ("today", "2026-03-29T00:00:00+00:00"),
        ("Yesterday", "2026-03-28T00:00:00+00:00"),
        ("2026-03-29", "2026-03-29T00:00:00+00:00"),
        ("2026-07-01", "2026-06-30T23:00:00+00:00"),
        ("2026-03-29T09:00", "2026-03-29T08:00:00+00:00"),
        ("2026-03-29T09:00:00+02:00", "2026-03-29T07:00:00+00:00"),
        ("100y", None),
        ("99 years", None),
        ("last week", None),
        ("", None),
        ("-3d", None),
        ("2026-13-01", None),
    ],
)
def test_since(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ScheduleError) as told:
            parse_since(text, "Europe/London", NOW)
        assert "7d" in (told.value.hint or "")
    else:
        assert from_micros(parse_since(text, "Europe/London", NOW)).isoformat() == expected


def test_no_time_lies_before_the_first() -> None:
    assert parse_since("36000d", "UTC", NOW) == 0
