"""What may be written as a schedule, what it then is, and how it reads in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rota.model.errors import ScheduleError
from rota.schedule import Schedule, parse

# A Saturday.
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kind", "words", "following"),
    [
        # five-field cron
        ("0 8 * * *", "cron", "every day at 08:00", "2026-11-22 08:00"),
        ("0 9 * * 1-5", "cron", "Mondays to Fridays at 09:00", "2026-11-23 09:00"),
        ("0 9,17 * * MON,wed", "cron", "Mondays and Wednesdays at 09:00 and 17:00", "2026-11-23 09:00"),
        ("* * * * *", "cron", "every minute", "2026-11-21 12:01"),
        ("*/15 * * * *", "cron", "every 15 minutes", "2026-11-21 12:15"),
        ("5 * * * *", "cron", "every hour at 5 minutes past", "2026-11-21 12:05"),
        ("0 */2 * * *", "cron", "every 2 hours", "2026-11-21 14:00"),
        ("* 9 * * *", "cron", "every minute from 09:00 to 09:59", "2026-11-22 09:00"),
        ("0 9-17 * * 1-5", "cron", "every hour from 09:00 to 17:00, Mondays to Fridays", "2026-11-23 09:00"),
        ("*/20 9-17 * * *", "cron", "every 20 minutes from 09:00 to 17:40", "2026-11-21 12:20"),
        ("0 0 1,15 * *", "cron", "the 1st and 15th of every month at 00:00", "2026-12-01 00:00"),
        ("0 0 1 jan,JUL *", "cron", "the 1st of January and July at 00:00", "2027-01-01 00:00"),
        ("0 9 * 6-8 *", "cron", "every day in June to August at 09:00", "2027-06-01 09:00"),
        ("0 9 * 1 1", "cron", "Mondays in January at 09:00", "2027-01-04 09:00"),
        ("0 0 L * *", "cron", "the last day of every month at 00:00", "2026-11-30 00:00"),
        ("0 0 LW 2 *", "cron", "the last weekday of February at 00:00", "2027-02-26 00:00"),
        ("0 0 * * 5L", "cron", "the last Friday of every month at 00:00", "2026-11-27 00:00"),
        ("0 0 * * MON#2", "cron", "the second Monday of every month at 00:00", "2026-12-14 00:00"),
        ("0 0 * * 0", "cron", "Sundays at 00:00", "2026-11-22 00:00"),
        ("0 0 * * 7", "cron", "Sundays at 00:00", "2026-11-22 00:00"),
        ("0 0 * * 6-7", "cron", "Saturdays to Sundays at 00:00", "2026-11-22 00:00"),
        ("0 0 29 2 *", "cron", "the 29th of February at 00:00", "2028-02-29 00:00"),
        ("0 0 13 * 5", "cron", "0 0 13 * 5", "2026-11-27 00:00"),
        ("10-20/5 3 * * *", "cron", "10-20/5 3 * * *", "2026-11-22 03:10"),
        # cron's names
        ("@hourly", "cron", "every hour", "2026-11-21 13:00"),
        ("@daily", "cron", "every day at 00:00", "2026-11-22 00:00"),
        ("@Midnight", "cron", "every day at 00:00", "2026-11-22 00:00"),
        ("@weekly", "cron", "Sundays at 00:00", "2026-11-22 00:00"),
        ("@monthly", "cron", "the 1st of every month at 00:00", "2026-12-01 00:00"),
        ("@yearly", "cron", "the 1st of January at 00:00", "2027-01-01 00:00"),
        ("@annually", "cron", "the 1st of January at 00:00", "2027-01-01 00:00"),
        # rota's names; unlike @weekly, a week starts on Monday
        ("hourly", "cron", "every hour", "2026-11-21 13:00"),
        ("  Daily\t", "cron", "every day at 00:00", "2026-11-22 00:00"),
        ("weekly", "cron", "Mondays at 00:00", "2026-11-23 00:00"),
        ("monthly", "cron", "the 1st of every month at 00:00", "2026-12-01 00:00"),
        ("yearly", "cron", "the 1st of January at 00:00", "2027-01-01 00:00"),
        # the others
        ("every 90m", "every", "every 90 minutes", "2026-11-21 13:30"),
        ("EVERY: 2d", "every", "every 2 days", "2026-11-23 00:00"),
        ("at 2026-12-01T09:00", "at", "once, on Tuesday 1 December 2026 at 09:00", "2026-12-01 09:00"),
        ("rrule:FREQ=DAILY;BYHOUR=9", "rrule", "every day at 09:00", "2026-11-22 09:00"),
        ("manual", "manual", "only when started by hand", None),
        ("@reboot", "reboot", "when the daemon starts", None),
    ],
)
def test_forms(text: str, kind: str, words: str, following: str | None) -> None:
    schedule = parse(text)
    assert (schedule.kind, schedule.describe()) == (kind, words)
    found = schedule.next(NOON)
    assert (found and f"{found:%Y-%m-%d %H:%M}") == following


def test_a_schedule_answers_in_its_own_zone() -> None:
    found = parse("0 8 * * *", "America/New_York").next(NOON)
    assert found is not None
    assert found.isoformat() == "2026-11-21T08:00:00-05:00"


def test_a_schedule_knows_its_text_and_zone() -> None:
    schedule = parse("  0 8 * * * ", " Asia/Kolkata ")
    assert (schedule.text, schedule.tz) == ("0 8 * * *", "Asia/Kolkata")
    assert repr(schedule) == "Cron('0 8 * * *', tz='Asia/Kolkata')"
    assert isinstance(schedule, Schedule)


def test_no_zone_is_utc() -> None:
    assert parse("daily", None).tz == parse("daily").tz == "UTC"


def test_next_is_strictly_later() -> None:
    schedule = parse("0 8 * * *")
    eight = datetime(2026, 1, 1, 8, tzinfo=UTC)
    assert schedule.next(eight) == eight + timedelta(days=1)
    assert schedule.next(eight - timedelta(microseconds=1)) == eight


@pytest.mark.parametrize(
    "text", ["0 8 * * *", "every 1h", "manual", "at 2026-01-01T00:00", "rrule:FREQ=DAILY"]
)
def test_a_naive_time_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError, match="no time zone") as caught:
        parse(text).next(datetime(2026, 1, 1))  # noqa: DTZ001
    assert caught.value.hint


@pytest.mark.parametrize(
    "text", ["0 8 * * *", "* * 29 2 *", "every 100w", "rrule:FREQ=YEARLY", "rrule:FREQ=HOURLY"]
)
def test_the_calendar_ends_with_the_year_9999(text: str) -> None:
    for zone in ("UTC", "America/New_York", "Asia/Tokyo"):
        assert parse(text, zone).next(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) is None


# Day of month and day of week


def days(text: str, count: int) -> list[str]:
    schedule, found, moment = parse(text), [], datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(count):
        following = schedule.next(moment)
        assert following is not None
        found.append(f"{following:%a %d}")
        moment = following
    return found


def test_either_day_field_matches_when_both_are_restricted() -> None:
    assert days("0 12 13 * 5", 4) == ["Fri 02", "Fri 09", "Tue 13", "Fri 16"]


def test_both_day_fields_must_match_when_one_starts_with_a_star() -> None:
    assert days("0 12 1-7 * */7", 2) == ["Sun 04", "Sun 01"]
    assert days("0 12 */100,1-7 * MON", 2) == ["Mon 05", "Mon 02"]


def test_a_step_starts_anew_each_month() -> None:
    assert days("0 12 */10 * *", 5) == ["Thu 01", "Sun 11", "Wed 21", "Sat 31", "Sun 01"]


# What people misread


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 0 */2 * *", "day of month `*/2` starts again on the 1st of each month"),
        ("0 0 * * */2", "day of week `*/2` starts again on each Sunday"),
        ("0 0 1-7 * */7", "must both match, because one of them starts with `*`"),
        ("0 0 13 * 5", "it runs when either day of month `13` or day of week `5` matches"),
        ("0 0 31 * *", "months without a 31st are skipped; `L` is the last day"),
        ("*/45 * * * *", "minute `*/45` runs at minutes 0, 45 and starts again"),
        ("*/90 * * * *", "only at minute 0 and starts again; for every 90 minutes write `every 90m`"),
        ("0 */5 * * *", "hour `*/5` runs at hours 0, 5, …, 20 and starts again"),
        ("rrule:FREQ=DAILY;COUNT=3", "COUNT counts from DTSTART, which is missing"),
    ],
)
def test_warnings(text: str, words: str) -> None:
    assert words in " ".join(parse(text).warnings)


@pytest.mark.parametrize(
    "text", ["0 8 * * 1-5", "*/15 * * * *", "0 */6 * * *", "@monthly", "0 0 L * *", "every 5h"]
)
def test_what_is_plain_has_no_warning(text: str) -> None:
    assert parse(text).warnings == ()
