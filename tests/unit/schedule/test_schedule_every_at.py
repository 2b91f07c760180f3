"""`every` counts real time from an anchor; `at` is one moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from rota.model.errors import ScheduleError
from rota.schedule import parse


def test_every_13_hours_is_13_hours() -> None:
    created = datetime(2026, 3, 28, 9, tzinfo=UTC)
    schedule = parse("every 13h", "Europe/London", created)
    moment, runs = created, []
    for _ in range(5):
        following = schedule.next(moment)
        assert following is not None
        moment = following.astimezone(UTC)
        runs.append(moment - created)
    assert runs == [timedelta(hours=13 * i) for i in range(1, 6)]


def test_every_does_not_drift_however_late_it_is_asked() -> None:
    anchor = datetime(2026, 1, 1, 9, 0, 5, tzinfo=UTC)
    schedule = parse("every 7m", "UTC", anchor)
    late = anchor + timedelta(days=300, minutes=3, microseconds=7)
    following = schedule.next(late)
    assert following is not None
    assert (following - anchor) % timedelta(minutes=7) == timedelta(0)
    assert timedelta(0) < following - late <= timedelta(minutes=7)


def test_every_two_days_keeps_its_hour_in_utc_not_on_the_wall() -> None:
    schedule = parse("every 1d", "Europe/London", datetime(2026, 3, 27, 9, tzinfo=UTC))
    found = schedule.next(datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert found is not None
    assert found.isoformat() == "2026-03-29T10:00:00+01:00"


def test_without_an_anchor_every_counts_from_the_unix_epoch() -> None:
    found = parse("every 7h", "Asia/Tokyo").next(datetime(2026, 1, 1, tzinfo=UTC))
    assert found is not None
    assert found.timestamp() % (7 * 3600) == 0


def test_a_naive_anchor_is_wall_time_of_the_zone() -> None:
    schedule = parse("every 24h", "Asia/Tokyo", datetime(2026, 1, 1, 9))  # noqa: DTZ001
    found = schedule.next(datetime(2026, 5, 1, tzinfo=UTC))
    assert found is not None
    assert f"{found:%H:%M}" == "09:00"


def test_an_anchor_in_the_future_sets_the_rhythm_and_delays_nothing() -> None:
    schedule = parse("every 1h", "UTC", datetime(2030, 1, 1, 0, 20, tzinfo=UTC))
    assert schedule.next(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 1, 0, 20, tzinfo=UTC)


def test_an_anchor_in_a_day_that_never_was_is_refused() -> None:
    with pytest.raises(ScheduleError, match="there is no"):
        parse("every 1h", "Pacific/Apia", datetime(2011, 12, 30, 12))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("every 1s", "every second"),
        ("every 60s", "every minute"),
        ("every 90m", "every 90 minutes"),
        ("every 2h", "every 2 hours"),
        ("every 1d", "every 24 hours"),
        ("every 1w", "every 7 days"),
        ("every 1 hour, 30 minutes", "every 90 minutes"),
        ("every 1.5s", "every 1s500ms"),
    ],
)
def test_every_in_words(text: str, words: str) -> None:
    assert parse(text).describe() == words


NEVER_YET = datetime(1990, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("at 2026-12-01T09:00", "UTC", "2026-12-01T09:00:00+00:00"),
        ("at 2026-12-01 09:00:30", "Asia/Kolkata", "2026-12-01T09:00:30+05:30"),
        ("at: 2026-07-01T09:00", "Europe/London", "2026-07-01T09:00:00+01:00"),
        # an offset says which instant; the answer is in the schedule's zone all the same
        ("at 2026-12-01T09:00+05:30", "America/New_York", "2026-11-30T22:30:00-05:00"),
        ("AT 2026-12-01T09:00Z", "Asia/Tokyo", "2026-12-01T18:00:00+09:00"),
        # in a gap: right after it; in a repeated hour: the first time
        ("at 2026-03-29T01:30", "Europe/London", "2026-03-29T02:00:00+01:00"),
        ("at 2026-10-04T02:10", "Australia/Lord_Howe", "2026-10-04T02:30:00+11:00"),
        ("at 2026-10-25T01:30", "Europe/London", "2026-10-25T01:30:00+01:00"),
        ("at 2026-10-25T01:30+00:00", "Europe/London", "2026-10-25T01:30:00+00:00"),
    ],
)
def test_at(text: str, zone: str, expected: str) -> None:
    schedule = parse(text, zone)
    found = schedule.next(NEVER_YET)
    assert found is not None
    assert found.isoformat() == expected
    assert schedule.next(found.astimezone(UTC) - timedelta(microseconds=1)) == found
    assert schedule.next(found) is None
    assert schedule.next(found + timedelta(days=9999)) is None


def test_at_says_when_the_clock_plays_a_trick_on_it() -> None:
    (skipped,) = parse("at 2026-03-29T01:30", "Europe/London").warnings
    assert "skips 01:30 on that day: it runs at 02:00" in skipped
    (repeated,) = parse("at 2026-10-25T01:30", "Europe/London").warnings
    assert "shows 01:30 twice on that day: it runs the first time" in repeated
    assert parse("at 2026-10-25T01:30+00:00", "Europe/London").warnings == ()


def test_at_in_a_day_that_never_was_is_refused() -> None:
    with pytest.raises(ScheduleError, match="can never fire: Pacific/Apia skipped that day"):
        parse("at 2011-12-30T12:00", "Pacific/Apia")


def test_asking_in_another_zone_changes_nothing() -> None:
    schedule = parse("at 2026-12-01T09:00", "Europe/London")
    asked = datetime(2026, 12, 1, 22, 59, tzinfo=timezone(timedelta(hours=14)))
    assert schedule.next(asked) == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert schedule.next(asked + timedelta(minutes=1)) is None
