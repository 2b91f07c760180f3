"""The coming load of one job: its policies, its windows, and counting instead of listing."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.model.instants import DAY, HOUR, MINUTE, SECOND, Micros, to_micros
from rota.model.job import Job, Overlap, Step, Window
from rota.planning.load import Expected, JobLoad, coming
from rota.schedule import parse

MONDAY = to_micros(datetime(2026, 11, 23, tzinfo=UTC))
DAYS = [MONDAY, MONDAY + DAY, MONDAY + 2 * DAY]
MANY = 10_000_000


def expected(text: str, usual: Micros | None = None, zone: str = "UTC", **policies: Any) -> Expected:
    job = Job("j", "j", (Step("s", "run"),), **policies)
    return Expected(job, tuple(parse(one, zone) for one in text.split(" + ")), zone, usual)


def load(text: str, usual: Micros | None = None, most: int = MANY, **policies: Any) -> JobLoad:
    return coming(expected(text, usual, **policies), DAYS, most)


def starts(found: JobLoad) -> list[str]:
    return [
        "–" if m.start is None else f"{datetime.fromtimestamp(m.start / SECOND, UTC):%a %H:%M}"
        for m in found.moments or ()
    ]


def test_each_moment_runs_when_it_is_due_for_as_long_as_usual() -> None:
    found = load("0 8 * * *", 5 * MINUTE)
    assert starts(found) == ["Mon 08:00", "Tue 08:00"]
    assert [(day.due, day.runs, day.work) for day in found.days] == [(1, 1, 5 * MINUTE)] * 2


def test_two_schedules_are_one_load() -> None:
    assert starts(load("0 12 * * 1 + 0 8 * * 1")) == ["Mon 08:00", "Mon 12:00"]


@pytest.mark.parametrize(
    ("overlap", "runs", "skipped", "shifted"),
    [
        (Overlap.SKIP, 12, {"overlap": 12}, {}),
        (Overlap.ALLOW, 24, {}, {"beside": 23}),
        (Overlap.CANCEL_RUNNING, 24, {}, {"overlap": 23}),
    ],
)
def test_a_run_that_takes_longer_than_the_time_between_two(
    overlap: Overlap, runs: int, skipped: dict[str, int], shifted: dict[str, int]
) -> None:
    day = coming(expected("0 * * * *", 90 * MINUTE, overlap=overlap), DAYS[:2], MANY).days[0]
    assert (day.due, day.runs, day.skipped, day.shifted) == (24, runs, skipped, shifted)


def test_a_run_that_the_next_one_ends_works_no_longer() -> None:
    found = coming(expected("0 * * * *", 90 * MINUTE, overlap=Overlap.CANCEL_RUNNING), DAYS[:2], MANY)
    assert found.days[0].work == 23 * HOUR + 90 * MINUTE


def test_queued_runs_follow_one_another() -> None:
    found = load("0 8,9,10 * * 1", 90 * MINUTE, overlap=Overlap.QUEUE)
    assert starts(found) == ["Mon 08:00", "Mon 09:30", "Mon 11:00"]
    assert found.total.shifted == {"queue": 2}


def test_a_window_puts_off_or_skips() -> None:
    assert starts(load("0 6 * * *", window=Window(("07:00-09:00",)))) == ["Mon 07:00", "Tue 07:00"]
    skipping = load("0 6,8 * * *", window=Window(("07:00-09:00",), skip=True))
    assert starts(skipping) == ["–", "Mon 08:00", "–", "Tue 08:00"]
    assert skipping.total.skipped == {"window": 2}
    assert starts(load("0 8 * * *", not_during=Window(("Mon",)))) == ["Tue 00:00", "Tue 08:00"]


def test_a_run_that_is_put_off_keeps_the_next_from_queueing() -> None:
    found = load("0 5,6 * * 1", window=Window(("07:00-09:00",)))
    assert starts(found) == ["Mon 07:00", "–"]
    assert found.total.skipped == {"waiting": 1}


def test_jitter_is_that_of_the_scheduler() -> None:
    from rota.planning.due import jitter_of, occurrence_key

    (first, _) = load("0 8 * * *", jitter=600.0).moments or ()
    assert first.start == first.due_at + jitter_of("j", occurrence_key(first.due_at), 600.0)
    assert first.start > first.due_at


POLICIES = st.fixed_dictionaries(
    {
        "overlap": st.sampled_from(Overlap),
        "jitter": st.sampled_from([0.0, 400.0]),
        "window": st.sampled_from([None, Window(("09:00-17:00",)), Window(("22:00-06:00",), skip=True)]),
        "not_during": st.sampled_from([None, Window(("Tue",))]),
    }
)
TEXTS = st.sampled_from(
    ["*/7 * * * *", "every 11m", "0 8,12 * * *", "rrule:FREQ=HOURLY", "0 * * * * + every 30m"]
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(TEXTS, st.sampled_from([None, MINUTE, 20 * MINUTE, 5 * HOUR]), POLICIES)
def test_every_moment_is_accounted_for(text: str, usual: Micros | None, policies: dict[str, Any]) -> None:
    found = load(text, usual, **policies)
    moments = found.moments or ()
    assert [m.due_at for m in moments] == sorted(m.due_at for m in moments)
    later = sum(m.start is not None and m.start >= DAYS[-1] for m in moments)
    total = found.total
    assert total.due == len(moments) == total.runs + later + sum(total.skipped.values())
    assert all(m.start >= m.due_at for m in moments if m.start is not None)
    assert all(m.reason is not None for m in moments if m.start != m.due_at)
    if policies["overlap"] is not Overlap.ALLOW:
        runs = sorted((m.start, m.end) for m in moments if m.start is not None and m.end is not None)
        assert all(end <= start for (_, end), (start, _) in pairwise(runs)), "one at a time"


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(TEXTS, st.sampled_from([None, MINUTE, 20 * MINUTE]), POLICIES.filter(lambda p: p["jitter"] == 0.0))
def test_counting_comes_close_to_listing(text: str, usual: Micros | None, policies: dict[str, Any]) -> None:
    listed, counted = load(text, usual, **policies), load(text, usual, most=0, **policies)
    assert counted.moments is None
    assert [day.due for day in counted.days] == [day.due for day in listed.days]
    slack = max(12, 0.15 * listed.total.due)
    if policies["overlap"] is not Overlap.QUEUE:  # whose backlog a sample does not see the end of
        assert abs(counted.total.runs - listed.total.runs) <= slack


def test_a_job_of_every_second_is_counted_and_costs_no_time() -> None:
    year = [MONDAY + day * DAY for day in range(367)]
    began = time.process_time()
    found = coming(expected("every 1s", 3 * SECOND), year, 3_000)
    assert time.process_time() - began < 5  # listing it would take minutes
    assert found.moments is None
    assert found.total.due == 366 * 86_400
    assert found.total.runs == pytest.approx(366 * 86_400 / 3, rel=0.01)


def test_a_calendar_rule_of_every_second_is_estimated() -> None:
    found = load("rrule:FREQ=SECONDLY", most=3_000)
    assert found.estimated
    assert found.days[0].due == pytest.approx(86_400, rel=0.01)


def test_how_many_runs_of_a_frequent_job_are_there_at_once() -> None:
    assert load("every 1m", 5 * MINUTE, most=0, overlap=Overlap.ALLOW).at_once == 5
    assert load("every 1m", 5 * MINUTE, most=0, overlap=Overlap.ALLOW, max_active=2).at_once == 2
    assert load("every 1m", 5 * MINUTE, most=0).at_once == 1
