"""Where cronsim 2.8, whose parser rota uses, goes wrong when clocks change; rota must not.

Each trap asserts rota's answer. What cronsim does there is in the name or the comment.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from rota.schedule import parse


def walk(text: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """Every instant (UTC) in (start, end)."""
    schedule, found = parse(text, zone), []
    moment = schedule.next(start)
    while moment is not None and (instant := moment.astimezone(UTC)) < end:
        found.append(instant)
        assert len(found) < 5000, "it does not move on"
        moment = schedule.next(instant)
    assert all(a < b for a, b in pairwise(found))
    return found


def minutes(start: datetime, count: int) -> list[datetime]:
    return [start + timedelta(minutes=i) for i in range(count)]


def test_asked_inside_a_repeated_hour_it_does_not_answer_with_the_past() -> None:
    # London, 25 October 2026: 01:10 for the second time. cronsim: the first 01:30, forty minutes ago.
    second_pass = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)
    assert second_pass.astimezone(ZoneInfo("Europe/London")).fold == 1
    found = parse("30 1 * * *", "Europe/London").next(second_pass)
    assert found is not None
    assert found.astimezone(UTC) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_a_job_that_ran_in_the_first_pass_is_not_run_after_a_restart_in_the_second() -> None:
    schedule = parse("0 1,2 * * *", "Europe/London")
    for minute in range(60):
        found = schedule.next(datetime(2026, 10, 25, 1, minute, 30, tzinfo=UTC))
        assert found is not None
        assert found.astimezone(UTC) == datetime(2026, 10, 25, 2, tzinfo=UTC)


def test_lord_howe_keeps_the_first_half_of_the_hour_after_its_half_hour_change() -> None:
    # cronsim loses 02:00 to 02:29 on 5 April 2026, when 02:00 became 01:30.
    start = datetime(2026, 4, 4, 12, tzinfo=UTC)
    assert walk("* 2 * * *", "Australia/Lord_Howe", start, start + timedelta(hours=12)) == minutes(
        datetime(2026, 4, 4, 15, 30, tzinfo=UTC), 60
    )


def test_chatham_does_not_go_back_44_minutes() -> None:
    # 5 April 2026: 03:00 to 03:44, again 02:45 to 03:44, then 03:45 to 03:59.
    start = datetime(2026, 4, 4, 12, tzinfo=UTC)
    assert walk("* 3 * * *", "Pacific/Chatham", start, start + timedelta(hours=12)) == [
        *minutes(datetime(2026, 4, 4, 13, 15, tzinfo=UTC), 45),
        *minutes(datetime(2026, 4, 4, 14, 15, tzinfo=UTC), 60),
    ]


def test_chatham_keeps_what_is_left_of_an_hour_after_a_gap() -> None:
    # 27 September 2026: 02:45 became 03:45. cronsim loses 03:45 to 03:59.
    start = datetime(2026, 9, 26, 12, tzinfo=UTC)
    assert walk("* 3 * * *", "Pacific/Chatham", start, start + timedelta(hours=12)) == minutes(
        datetime(2026, 9, 26, 14, tzinfo=UTC), 15
    )


def test_st_johns_moves_on_when_midnight_comes_twice() -> None:
    # 7 November 2010: 00:01 became 23:01. cronsim answers with the first 00:00 for ever.
    start = datetime(2010, 11, 7, 0, tzinfo=UTC)
    assert walk("* 0 * * *", "America/St_Johns", start, start + timedelta(hours=12)) == [
        datetime(2010, 11, 7, 2, 30, tzinfo=UTC),
        *minutes(datetime(2010, 11, 7, 3, 30, tzinfo=UTC), 60),
    ]


def test_st_johns_comes_to_an_end() -> None:
    # The same night: cronsim never returns.
    start = datetime(2010, 11, 7, 0, tzinfo=UTC)
    assert walk("30 */2 * * *", "America/St_Johns", start, start + timedelta(hours=7)) == [
        datetime(2010, 11, 7, 1, 0, tzinfo=UTC),
        datetime(2010, 11, 7, 4, 0, tzinfo=UTC),
        datetime(2010, 11, 7, 6, 0, tzinfo=UTC),
    ]


def test_st_johns_loses_no_run_after_its_gap() -> None:
    # 14 March 2010: 00:01 became 01:01. cronsim loses 02:30.
    start = datetime(2010, 3, 14, 4, tzinfo=UTC)
    assert walk("30 */2 * * *", "America/St_Johns", start, start + timedelta(hours=2)) == [
        datetime(2010, 3, 14, 5, 0, tzinfo=UTC)
    ]


def test_a_run_after_a_gap_does_not_swallow_the_next_regular_one() -> None:
    # New York, 8 March 2026: 02:30 is skipped, 03:30 is not.
    start = datetime(2026, 3, 8, 6, tzinfo=UTC)
    assert walk("30 2,3 * * *", "America/New_York", start, start + timedelta(hours=6)) == [
        datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
        datetime(2026, 3, 8, 7, 30, tzinfo=UTC),
    ]


@pytest.mark.parametrize("inside", range(0, 60, 7))
def test_asked_with_a_time_that_does_not_exist(inside: int) -> None:
    # 02:xx on that night, in Python's reading: an instant after the gap.
    asked = datetime(2026, 3, 8, 2, inside, tzinfo=ZoneInfo("America/New_York"))
    found = parse("*/5 * * * *", "America/New_York").next(asked)
    assert found is not None
    assert timedelta(0) < found.astimezone(UTC) - asked.astimezone(UTC) <= timedelta(minutes=5)


def test_a_missing_day_is_not_made_up_for() -> None:
    # cronsim runs at the first instant of Apia's 31 December 2011 what was meant for the 30th.
    start = datetime(2011, 12, 29, 12, tzinfo=UTC)
    assert walk("0 12 * * *", "Pacific/Apia", start, start + timedelta(days=2)) == [
        datetime(2011, 12, 29, 22, tzinfo=UTC),
        datetime(2011, 12, 30, 22, tzinfo=UTC),
    ]


def test_pyongyang_keeps_the_midnight_that_it_jumped_to() -> None:
    # 4 May 2018: 23:30 became 00:00 of the next day. cronsim loses that hour.
    start = datetime(2018, 5, 4, 14, tzinfo=UTC)
    assert walk("0 * * * *", "Asia/Pyongyang", start, start + timedelta(hours=3)) == [
        datetime(2018, 5, 4, 14, 30, tzinfo=UTC),
        datetime(2018, 5, 4, 15, 0, tzinfo=UTC),
        datetime(2018, 5, 4, 16, 0, tzinfo=UTC),
    ]
