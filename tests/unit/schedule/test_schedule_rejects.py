"""What is no schedule: each with one line that quotes it, and a hint that mends it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from tests.support.effort import AT_ONCE, calls_of

from rota.model.errors import ScheduleError, ZoneError
from rota.schedule import parse


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        # not of any form
        ("", "write cron"),
        ("  \n", "write cron"),
        ("gibberish", "write cron"),
        ("dialy", "did you mean `daily`?"),
        ("@dayly", "did you mean `@daily`?"),
        ("@every 5m", "write it without the @: `every 5m`"),
        ("CRON_TZ=Europe/London 0 8 * * *", "timezone: Europe/London"),
        ("4h", "write `every 4h`"),
        ("2026-12-01T09:00", "write `at 2026-12-01T09:00`"),
        ("run every day at nine o'clock", "write cron"),
        ("*" * 2000, "at most 1000 characters"),
        # cron
        ("* * * *", "minute, hour, day of month, month, day of week"),
        ("* * * * * *", "rota has no seconds field: leave it out, or use `every 10s`"),
        ("0 9 * * * ; rm", "minute, hour, day of month, month, day of week"),
        ("60 * * * *", "minute takes .* of 0-59"),
        ("* 24 * * *", "hour takes .* of 0-23"),
        ("* * 0 * *", "day-of-month takes"),
        ("* * * 13 *", "month takes"),
        ("* * * * 8", "day-of-week takes"),
        ("-5 * * * *", "minute takes"),
        ("1.5 * * * *", "minute takes"),
        ("1,,2 * * * *", "minute takes"),
        ("a\x1b[31m * * * *", "minute takes"),
        ("0 9 15W * *", "LW"),
        ("0 9 * * MONDAY", "SUN-SAT"),
        ("0 9 * * MON#6", r"MON#2"),
        ("0 9 ? * 1", r"write `\*` instead"),
        ("*/0 * * * *", "from 1 up"),
        ("30-10 * * * *", "30-59,0-10"),
        ("0 22-6 * * *", "22-23,0-6"),
        ("0 0 25-5 * *", "25-31,1-5"),
        ("0 0 * NOV-FEB *", "NOV-DEC,JAN-FEB"),
        ("0 0 * * FRI-SUN", "FRI-SAT,SUN"),
        (f"*/{'9' * 900} 24 * * *", "hour takes"),
        # every
        ("every", "such as 90m, 4h, 2d or 1h30m"),
        ("every 5", "say which one: 5s, 5m, 5h or 5d"),
        ("every 0s", "the shortest length here is 1s"),
        ("every 999ms", "the shortest length here is 1s"),
        ("every -5m", "such as 90m"),
        ("every 5 fortnights", "such as 90m"),
        ("every 30m1h", "the larger unit first"),
        ("every 4000w 4000d 9000000h", "100 years"),
        ("every hour", "write `hourly`"),
        ("every day", "write `daily`"),
        ("every week", "write `weekly`"),
        ("every day at 8:00", r"`0 8 \* \* \*` is daily at 08:00"),
        # at
        ("at", "at 2026-12-01T09:00"),
        ("at noon", "at 2026-12-01T09:00"),
        ("at 09:00", "at 2026-12-01T09:00"),
        ("at 2026-12-01", "at 2026-12-01T09:00"),
        ("at 2026-02-30T09:00", "at 2026-12-01T09:00"),
        ("at 2026-12-01T25:00", "at 2026-12-01T09:00"),
        ("at 0001-01-01T00:00+14:00", "between 1900 and 9990"),
        # rules
        ("rrule:", "FREQ is one of"),
        ("rrule:junk", "FREQ=WEEKLY"),
        ("rrule:FREQ=", "FREQ=WEEKLY"),
        ("rrule:FREQ=FORTNIGHTLY", "FREQ is one of"),
        ("rrule:BYDAY=MO", "FREQ is one of"),
        ("rrule:FREQ=DAILY;BYDAYS=MO", "did you mean BYDAY?"),
        ("rrule:FREQ=DAILY;FREQ=WEEKLY", "FREQ=WEEKLY"),
        ("rrule:FREQ=DAILY;COUNT=0", "a number from 1"),
        ("rrule:FREQ=DAILY;COUNT=-1", "a number from 1"),
        ("rrule:FREQ=DAILY;COUNT=1000000", "from 1 to 10000"),
        ("rrule:FREQ=DAILY;INTERVAL=0", "a number from 1"),
        ("rrule:FREQ=DAILY;INTERVAL=1e3", "a number from 1"),
        ("rrule:FREQ=DAILY;COUNT=3;UNTIL=20300101", "keep one"),
        ("rrule:FREQ=DAILY;UNTIL=tomorrow", "UNTIL=20261201T090000"),
        ("rrule:FREQ=DAILY;UNTIL=20261301", "UNTIL=20261201T090000"),
        ("rrule:FREQ=DAILY;BYHOUR=24", "from 0 to 23"),
        ("rrule:FREQ=DAILY;BYHOUR=-1", "from 0 to 23"),
        ("rrule:FREQ=DAILY;BYMONTHDAY=0", "-31 to -1 from the end"),
        ("rrule:FREQ=MONTHLY;BYDAY=XX", "MO, FR or -1FR"),
        ("rrule:FREQ=MONTHLY;BYDAY=0MO", "MO, FR or -1FR"),
        ("rrule:FREQ=WEEKLY;BYDAY=1MO", "FREQ=MONTHLY or YEARLY"),
        ("rrule:FREQ=DAILY;WKST=1", "WKST is one of"),
        ("rrule:EXDATE:20260101 FREQ=DAILY", "only DTSTART and one RRULE"),
        ("DTSTART;TZID=Asia/Tokyo:20260101T090000\nRRULE:FREQ=DAILY", "set `timezone:`"),
    ],
)
def test_rejects(text: str, hint: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    message = str(caught.value)
    assert "\n" not in message
    assert "\x1b" not in message
    if len(text) < 100 and text.isprintable():
        assert f"`{text.strip()}`" in message
    assert caught.value.code == "bad_schedule"
    assert re.search(hint, caught.value.hint or ""), caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "0 0 31 2 *",
        "* * 31 2 *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "1 1 */100 * MON#4",  # the first of the month, and its fourth Monday
        "0 0 */100 * 5L",
        "rrule:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "rrule:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30",
        "rrule:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "rrule:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "rrule:FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "rrule:FREQ=YEARLY;INTERVAL=4;BYYEARDAY=366;DTSTART=20250101T000000",
        "rrule:FREQ=DAILY;INTERVAL=7;BYDAY=TU;DTSTART=20260105T000000",
        "rrule:FREQ=HOURLY;INTERVAL=24;BYHOUR=9;DTSTART=20260105T000000",
        "rrule:FREQ=DAILY;BYSETPOS=2",
        "rrule:FREQ=DAILY;UNTIL=20200101;DTSTART=20260105T000000",
        "rrule:FREQ=DAILY;DTSTART=99991231T235959;BYHOUR=1",
    ],
)
def test_what_can_never_fire_is_rejected_at_once(text: str) -> None:
    def refused() -> ScheduleError:
        with pytest.raises(ScheduleError, match="can never fire") as caught:
            parse(text)
        return caught.value

    error, calls = calls_of(refused)
    assert error.hint
    assert calls < AT_ONCE


@pytest.mark.parametrize(
    "text", ["0 0 31 2 MON", "0 0 29 2 */7", "0 0 * 2 MON#5", "0 0 30 1,2 *", "0 0 */30 2 *"]
)
def test_what_fires_seldom_is_accepted(text: str) -> None:
    assert parse(text).next(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Lodnon", "did you mean Europe/London?"),
        ("europe/london", "did you mean Europe/London?"),
        ("London", "did you mean Europe/London?"),
        ("new york", "did you mean America/New_York?"),
        ("UTC+2", "write Etc/GMT-2"),
        ("BST", "use a place's name"),
        ("", "use a place's name"),
        ("..", "use a place's name"),
        ("../../etc/passwd", "use a place's name"),
        ("right/Europe/London", "did you mean Europe/London?"),
        ("x\0y", "use a place's name"),
    ],
)
def test_no_such_zone(name: str, hint: str) -> None:
    with pytest.raises(ZoneError) as caught:
        parse("daily", name)
    assert hint in (caught.value.hint or "")
    assert caught.value.code == "bad_timezone"
    assert "\n" not in str(caught.value)
