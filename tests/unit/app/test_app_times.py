"""Instants as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from rota.app.times import ago, brief, city, local, parse_time, until, upcoming
from rota.model.errors import RotaError
from rota.model.instants import DAY, HOUR, MINUTE, SECOND, from_micros, to_micros

NOW = to_micros(datetime(2026, 11, 21, 9, 30, tzinfo=UTC))  # a Saturday


def test_in_full() -> None:
    assert local(NOW, "Europe/London") == "Sat 21 Nov 2026 09:30 London"
    assert local(NOW + 5 * SECOND, "America/New_York") == "Sat 21 Nov 2026 04:30:05 New York"
    assert city("America/Argentina/Buenos_Aires") == "Buenos Aires"


def test_in_brief() -> None:
    assert brief(NOW + HOUR, "UTC", NOW) == "10:30"
    assert brief(NOW - SECOND, "UTC", NOW) == "09:29:59"
    assert brief(NOW + 2 * DAY, "UTC", NOW) == "Mon 23 Nov 09:30"
    assert brief(NOW + 60 * DAY, "UTC", NOW) == "20 Jan 2027 09:30"
    assert brief(NOW + 15 * HOUR, "Asia/Tokyo", NOW) == "Sun 22 Nov 09:30", "today is not today everywhere"


def test_what_comes() -> None:
    assert upcoming(NOW + 3 * HOUR, "UTC", NOW) == "in 3 h, Sat 12:30 UTC"
    assert upcoming(NOW + 30 * DAY, "UTC", NOW) == "in 30 days, Mon 21 Dec 09:30 UTC"
    assert upcoming(NOW + 400 * DAY, "UTC", NOW).endswith("2027 09:30 UTC")


def test_spans() -> None:
    assert until(NOW + 65 * MINUTE, NOW) == "in 1 h 5 min"
    assert until(NOW, NOW) == "now"
    assert ago(NOW - 45 * SECOND, NOW) == "45 s ago"
    assert ago(NOW + SECOND, NOW) == "0 s ago", "a clock that was set back"


@pytest.mark.parametrize(
    ("text", "zone", "meant"),
    [
        ("2026-11-20T08:00", "UTC", "2026-11-20T08:00:00+00:00"),
        ("2026-11-20T08:00", "Asia/Tokyo", "2026-11-19T23:00:00+00:00"),
        ("2026-11-20T08:00+02:00", "UTC", "2026-11-20T06:00:00+00:00"),
        ("2026-11-20", "UTC", "2026-11-20T00:00:00+00:00"),
        ("08:00", "UTC", "2026-11-21T08:00:00+00:00"),
        ("8:00", "UTC", "2026-11-21T08:00:00+00:00"),
        ("today 8:00", "UTC", "2026-11-21T08:00:00+00:00"),
        ("yesterday 08:00", "Asia/Tokyo", "2026-11-19T23:00:00+00:00"),
        ("Yesterday", "UTC", "2026-11-20T00:00:00+00:00"),
        ("tomorrow 00:30", "UTC", "2026-11-22T00:30:00+00:00"),
    ],
)
def test_what_a_person_means(text: str, zone: str, meant: str) -> None:
    assert from_micros(parse_time(text, zone, NOW)).isoformat() == meant


@pytest.mark.parametrize("text", ["", "soon", "25:00", "yesterday noon", "2026-13-01"])
def test_what_nobody_can_mean(text: str) -> None:
    with pytest.raises(RotaError, match="cannot read the time") as caught:
        parse_time(text, "UTC", NOW)
    assert caught.value.hint
