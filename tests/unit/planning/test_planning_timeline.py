"""The load of all jobs together: peaks, limits, busy minutes; changes of clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.model.instants import DAY, HOUR, MINUTE, SECOND, Micros, to_micros
from rota.model.job import Concurrency, Job, Step
from rota.planning.clock_changes import clock_changes, effect
from rota.planning.load import Expected, coming
from rota.planning.timeline import DayLoad, timeline
from rota.schedule import parse

MONDAY = to_micros(datetime(2026, 11, 23, tzinfo=UTC))
DAYS = [MONDAY, MONDAY + DAY]


def days(
    *jobs: Expected, limit: int = 8, groups: dict[str, int] | None = None, most: int = 10_000
) -> DayLoad:
    (day,) = timeline([coming(job, DAYS, most) for job in jobs], DAYS, limit, groups or {})
    return day


def job(name: str, text: str, usual: Micros | None = None, **policies: Any) -> Expected:
    return Expected(Job(name, name, (Step("s", "run"),), **policies), (parse(text),), "UTC", usual)


def test_the_peak_is_where_most_run_at_once() -> None:
    day = days(
        job("a", "0 8 * * *", 2 * HOUR),
        job("b", "30 8 * * *", HOUR),
        job("c", "0 9 * * *"),
        job("d", "0 11 * * *"),
    )
    assert day.peak is not None
    assert (day.peak.runs, day.peak.at, day.peak.beyond) == (3, MONDAY + 9 * HOUR, False)
    assert [moment.job_id for moment in day.moments] == ["a", "b", "c", "d"]
    assert day.total.work == 3 * HOUR


def test_a_run_that_ends_as_another_starts_is_not_beside_it() -> None:
    day = days(job("a", "0 8 * * *", HOUR), job("b", "0 9 * * *", HOUR))
    assert day.peak is not None
    assert day.peak.runs == 1


def test_more_than_the_limit() -> None:
    day = days(*(job(f"j{n}", "0 9 * * *") for n in range(12)), limit=8)
    assert day.peak is not None
    assert (day.peak.runs, day.peak.limit, day.peak.beyond) == (12, 8, True)
    assert day.busy == ((MONDAY + 9 * HOUR, 12),)


def test_groups_are_told_of_when_their_limit_is_met() -> None:
    jobs = [job(f"j{n}", "0 9 * * *", MINUTE, concurrency=Concurrency("gpu", 2)) for n in range(3)]
    (group,) = days(*jobs).groups
    assert (group.group, group.runs, group.limit) == ("gpu", 3, 2)
    assert days(*jobs, groups={"gpu": 3}).groups == ()


def test_frequent_jobs_are_in_the_sums_and_not_in_the_lines() -> None:
    day = days(job("often", "*/5 * * * *", SECOND), job("seldom", "0 9 * * *"))
    assert day.total.runs == 289
    assert [moment.job_id for moment in day.moments] == ["seldom"]
    counted = days(job("often", "*/5 * * * *", SECOND), job("seldom", "0 9 * * *"), most=10)
    assert counted.peak is not None
    assert (counted.total.runs, counted.peak.runs) == (289, 2)


def test_nothing() -> None:
    assert days(job("a", "0 9 1 1 *")).peak is None


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, 23), st.integers(0, 300)), min_size=1, max_size=12))
def test_the_peak_is_that_of_looking_at_every_minute(spans: list[tuple[int, int]]) -> None:
    jobs = [job(f"j{n}", f"0 {hour} * * *", length * MINUTE) for n, (hour, length) in enumerate(spans)]
    most = max(
        sum(hour * 60 <= minute < hour * 60 + max(length, 1) for hour, length in spans)
        for minute in range(1440)
    )
    day = days(*jobs)
    assert day.peak is not None
    assert day.peak.runs == most


@pytest.mark.parametrize(
    ("text", "forward", "back"),
    [
        ("30 1 * * *", "runs at 02:00", "runs once, the first time"),
        ("0 2 * * *", None, None),
        ("*/20 1 * * *", "does not run", "runs in both hours that read 01:00"),
        ("0 * * * *", None, None),
        ("every 1h", None, None),
    ],
)
def test_what_a_change_of_clocks_does(text: str, forward: str | None, back: str | None) -> None:
    year = to_micros(datetime(2026, 1, 1, tzinfo=UTC))
    spring, autumn = clock_changes(["Europe/London", "UTC"], year, year + 365 * DAY)
    assert (f"{spring.before:%d %b %H:%M}", f"{spring.after:%H:%M}") == ("29 Mar 01:00", "02:00")
    schedule = parse(text, "Europe/London")
    assert (effect(schedule, spring), effect(schedule, autumn)) == (forward, back)


def test_a_change_in_another_zone_is_no_matter() -> None:
    year = to_micros(datetime(2026, 1, 1, tzinfo=UTC))
    spring = clock_changes(["Europe/London"], year, year + 365 * DAY)[0]
    assert effect(parse("30 1 * * *", "Europe/Paris"), spring) is None
