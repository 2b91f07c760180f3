"""When clocks change: one table per sort of transition, in zones where each of them happened.

Instants are written as the wall time of the zone with its offset, as a user would see them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rota.schedule import parse


def runs(text: str, zone: str, start: str, count: int) -> list[str]:
    """The first `count` runs of `text` at or after a wall time."""
    schedule = parse(text, zone)
    moment = parse(f"at {start}", zone).next(datetime(1900, 1, 1, tzinfo=UTC))
    found: list[str] = []
    for _ in range(count):
        assert moment is not None
        moment = schedule.next(moment - timedelta(microseconds=1) if not found else moment)
        assert moment is not None
        found.append(f"{moment:%d %H:%M} {moment.isoformat()[19:]}")
        moment = moment.astimezone(UTC)
    return found


GAPS = [
    # London: 01:00 to 02:00 on 29 March 2026
    ("30 1 * * *", "Europe/London", "2026-03-28T12:00", ["29 02:00 +01:00", "30 01:30 +01:00"]),
    ("0 1 * * *", "Europe/London", "2026-03-28T12:00", ["29 02:00 +01:00", "30 01:00 +01:00"]),
    ("0 2 * * *", "Europe/London", "2026-03-28T12:00", ["29 02:00 +01:00", "30 02:00 +01:00"]),
    # several times of one job in one gap: one run
    ("0,20,40 1 * * *", "Europe/London", "2026-03-28T12:00", ["29 02:00 +01:00", "30 01:00 +01:00"]),
    # the run after the gap and the job's next regular run are two
    ("30 1,2 * * *", "Europe/London", "2026-03-28T22:00", ["29 02:00 +01:00", "29 02:30 +01:00"]),
    # ... unless they are at the same instant
    ("0 1,2,3 * * *", "Europe/London", "2026-03-28T22:00", ["29 02:00 +01:00", "29 03:00 +01:00"]),
    # only on the days that the job runs on
    ("30 1 * * 1", "Europe/London", "2026-03-28T12:00", ["30 01:30 +01:00"]),
    ("30 1 29 3 *", "Europe/London", "2026-03-28T12:00", ["29 02:00 +01:00"]),
    # wildcards follow real time: nothing in the gap, nothing to make up for
    ("* 1 * * 0", "Europe/London", "2026-03-28T12:00", ["05 01:00 +01:00"]),
    (
        "30 * * * *",
        "Europe/London",
        "2026-03-28T23:45",
        ["29 00:30 +00:00", "29 02:30 +01:00", "29 03:30 +01:00"],
    ),
    ("30 */2 * * *", "Europe/London", "2026-03-28T23:45", ["29 00:30 +00:00", "29 02:30 +01:00"]),
    # New York: 02:00 to 03:00 on 8 March 2026
    ("30 2 * * *", "America/New_York", "2026-03-07T12:00", ["08 03:00 -04:00", "09 02:30 -04:00"]),
    # Lord Howe: half an hour, 02:00 to 02:30 on 4 October 2026
    ("10 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["04 02:30 +11:00", "05 02:10 +11:00"]),
    ("10,45 2 * * *", "Australia/Lord_Howe", "2026-10-03T18:00", ["04 02:30 +11:00", "04 02:45 +11:00"]),
    # Chatham: 02:45 to 03:45 on 27 September 2026
    ("0 3 * * *", "Pacific/Chatham", "2026-09-26T12:00", ["27 03:45 +13:45", "28 03:00 +13:45"]),
    # St John's 2010: 00:01 to 01:01
    ("30 0 * * *", "America/St_Johns", "2010-03-13T12:00", ["14 01:01 -02:30", "15 00:30 -02:30"]),
    ("0 0 * * *", "America/St_Johns", "2010-03-13T12:00", ["14 00:00 -03:30", "15 00:00 -02:30"]),
    # Midnight itself is skipped: Santiago, Asuncion, Beirut, Cairo, Sao Paulo, Tehran
    ("0 0 * * *", "America/Santiago", "2026-09-05T12:00", ["06 01:00 -03:00", "07 00:00 -03:00"]),
    ("0 0 * * *", "America/Asuncion", "2023-09-30T12:00", ["01 01:00 -03:00", "02 00:00 -03:00"]),
    ("0 0 * * *", "Asia/Beirut", "2025-03-29T12:00", ["30 01:00 +03:00", "31 00:00 +03:00"]),
    ("0 0 * * *", "Africa/Cairo", "2026-04-23T12:00", ["24 01:00 +03:00", "25 00:00 +03:00"]),
    ("30 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00", ["04 01:00 -02:00", "05 00:30 -02:00"]),
    ("@daily", "Asia/Tehran", "2022-03-21T12:00", ["22 01:00 +04:30", "23 00:00 +04:30"]),
    ("@hourly", "America/Santiago", "2026-09-05T22:30", ["05 23:00 -04:00", "06 01:00 -03:00"]),
    # Casablanca: back from Ramadan's time, 02:00 to 03:00 on 22 March 2026
    ("15 2 * * *", "Africa/Casablanca", "2026-03-21T12:00", ["22 03:00 +01:00", "23 02:15 +01:00"]),
    # Troll: two hours, 01:00 to 03:00
    ("30 1,2 * * *", "Antarctica/Troll", "2026-03-28T12:00", ["29 03:00 +02:00", "30 01:30 +02:00"]),
    # Casey 2009: three hours, the longest gap that is made up for
    ("30 3 * * *", "Antarctica/Casey", "2009-10-17T12:00", ["18 05:00 +11:00", "19 03:30 +11:00"]),
    # Apia 2011 and Kwajalein 1993: a day that never was
    ("0 12 * * *", "Pacific/Apia", "2011-12-29T11:00", ["29 12:00 -10:00", "31 12:00 +14:00"]),
    ("0 0 * * *", "Pacific/Apia", "2011-12-28T23:00", ["29 00:00 -10:00", "31 00:00 +14:00"]),
    ("0 12 30 12 *", "Pacific/Apia", "2011-12-28T23:00", ["30 12:00 +14:00"]),
    ("0 12 * * *", "Pacific/Kwajalein", "1993-08-20T11:00", ["20 12:00 -12:00", "22 12:00 +12:00"]),
    # Kathmandu 1986: a quarter of an hour, for good; and no change at all
    ("10 0 * * *", "Asia/Kathmandu", "1985-12-31T12:00", ["01 00:15 +05:45", "02 00:10 +05:45"]),
    ("30 2 * * *", "Asia/Kolkata", "2026-03-28T12:00", ["29 02:30 +05:30", "30 02:30 +05:30"]),
]


@pytest.mark.parametrize(("text", "zone", "start", "expected"), GAPS)
def test_a_skipped_time(text: str, zone: str, start: str, expected: list[str]) -> None:
    assert runs(text, zone, start, len(expected)) == expected


REPEATS = [
    # London: 01:00 to 02:00 twice on 25 October 2026. Fixed times: once, the first time
    ("30 1 * * *", "Europe/London", "2026-10-25T00:00", ["25 01:30 +01:00", "26 01:30 +00:00"]),
    (
        "0,30 1,2 * * *",
        "Europe/London",
        "2026-10-25T00:00",
        ["25 01:00 +01:00", "25 01:30 +01:00", "25 02:00 +00:00"],
    ),
    ("0 2 * * *", "Europe/London", "2026-10-25T00:00", ["25 02:00 +00:00", "26 02:00 +00:00"]),
    # wildcards: both passes
    (
        "30 * * * *",
        "Europe/London",
        "2026-10-25T00:45",
        ["25 01:30 +01:00", "25 01:30 +00:00", "25 02:30 +00:00"],
    ),
    (
        "*/30 1 * * *",
        "Europe/London",
        "2026-10-25T01:15",
        ["25 01:30 +01:00", "25 01:00 +00:00", "25 01:30 +00:00"],
    ),
    # New York: 01:00 to 02:00 twice on 1 November 2026
    ("0 1 * * *", "America/New_York", "2026-11-01T00:00", ["01 01:00 -04:00", "02 01:00 -05:00"]),
    (
        "@hourly",
        "America/New_York",
        "2026-11-01T00:30",
        ["01 01:00 -04:00", "01 01:00 -05:00", "01 02:00 -05:00"],
    ),
    # Lord Howe: 01:30 to 02:00 twice on 5 April 2026
    ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05T00:00", ["05 01:45 +11:00", "06 01:45 +10:30"]),
    ("15 * * * *", "Australia/Lord_Howe", "2026-04-05T01:00", ["05 01:15 +11:00", "05 02:15 +10:30"]),
    ("45 * * * *", "Australia/Lord_Howe", "2026-04-05T01:00", ["05 01:45 +11:00", "05 01:45 +10:30"]),
    # Chatham: 02:45 to 03:45 twice on 5 April 2026
    ("0 3 * * *", "Pacific/Chatham", "2026-04-05T00:00", ["05 03:00 +13:45", "06 03:00 +12:45"]),
    # St John's 2010: from 00:01 back to 23:01 of the day before
    ("30 23 * * *", "America/St_Johns", "2010-11-06T12:00", ["06 23:30 -02:30", "07 23:30 -03:30"]),
    ("0 0 * * *", "America/St_Johns", "2010-11-06T12:00", ["07 00:00 -02:30", "08 00:00 -03:30"]),
    ("0 0 7 11 *", "America/St_Johns", "2010-11-06T12:00", ["07 00:00 -02:30"]),
    (
        "0 * * * *",
        "America/St_Johns",
        "2010-11-06T23:30",
        ["07 00:00 -02:30", "07 00:00 -03:30", "07 01:00 -03:30"],
    ),
    # From midnight back to 23:00: Santiago, Asuncion, Beirut, Cairo, Sao Paulo, Tehran
    ("30 23 * * *", "America/Santiago", "2026-04-04T12:00", ["04 23:30 -03:00", "05 23:30 -04:00"]),
    ("0 0 * * *", "America/Santiago", "2026-04-04T12:00", ["05 00:00 -04:00", "06 00:00 -04:00"]),
    ("30 23 * * *", "America/Asuncion", "2023-03-25T12:00", ["25 23:30 -03:00", "26 23:30 -04:00"]),
    ("30 23 * * *", "Asia/Beirut", "2025-10-25T12:00", ["25 23:30 +03:00", "26 23:30 +02:00"]),
    ("30 23 * * *", "Africa/Cairo", "2026-10-29T12:00", ["29 23:30 +03:00", "30 23:30 +02:00"]),
    ("30 23 * * *", "America/Sao_Paulo", "2018-02-17T12:00", ["17 23:30 -02:00", "18 23:30 -03:00"]),
    ("30 23 * * *", "Asia/Tehran", "2022-09-21T12:00", ["21 23:30 +04:30", "22 23:30 +03:30"]),
    # Casablanca: into Ramadan's time, 02:00 to 03:00 twice on 15 February 2026
    ("30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00", ["15 02:30 +01:00", "16 02:30 +00:00"]),
    # Troll: two hours, 01:00 to 03:00 twice
    ("30 2 * * *", "Antarctica/Troll", "2026-10-25T00:00", ["25 02:30 +02:00", "26 02:30 +00:00"]),
    (
        "0 * * * *",
        "Antarctica/Troll",
        "2026-10-25T01:30",
        ["25 02:00 +02:00", "25 01:00 +00:00", "25 02:00 +00:00"],
    ),
]


@pytest.mark.parametrize(("text", "zone", "start", "expected"), REPEATS)
def test_a_repeated_time(text: str, zone: str, start: str, expected: list[str]) -> None:
    assert runs(text, zone, start, len(expected)) == expected


def test_leap_days() -> None:
    assert runs("0 0 29 2 *", "Europe/London", "2095-01-01T00:00", 2) == ["29 00:00 +00:00"] * 2
    schedule = parse("0 0 29 2 *", "Europe/London")
    leap_days, moment = [], datetime(1999, 1, 1, tzinfo=UTC)
    for _ in range(3):
        following = schedule.next(moment)
        assert following is not None
        leap_days.append(following.year)
        moment = following
    assert leap_days == [2000, 2004, 2008]
    later = schedule.next(datetime(2096, 3, 1, tzinfo=UTC))
    assert later is not None
    assert later.year == 2104  # 2100 is none


def test_a_day_that_comes_once_in_a_generation() -> None:
    schedule = parse("* * 29 2 */7", "Europe/London")  # 29 February, and a Sunday
    found = schedule.next(datetime(2032, 3, 1, 12, tzinfo=UTC))
    assert found is not None
    assert found.isoformat() == "2060-02-29T00:00:00+00:00"


def test_a_gap_of_the_19th_century_ends_between_two_minutes() -> None:
    # Monrovia left its own time for UTC in 1972: 00:00:00 became 00:44:30.
    schedule = parse("15 0 * * *", "Africa/Monrovia")
    found = schedule.next(datetime(1972, 1, 6, 12, tzinfo=UTC))
    assert found is not None
    assert found.isoformat() == "1972-01-07T00:44:30+00:00"
