"""What a time trigger calls for: each due moment in exactly one row, however long nobody looked."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.model.instants import DAY, HOUR, MINUTE, SECOND, Micros, from_micros, to_micros
from rota.model.job import CatchUp, CatchUpMode
from rota.model.ledger import Outcome, TriggerRecord
from rota.model.run import Reason
from rota.planning.due import MAX_COUNTED, MAX_ROWS, Plan, jitter_of, next_due, occurrence_key, plan, stretch
from rota.schedule import Schedule, parse

START = to_micros(datetime(2026, 11, 18, 9, 0, tzinfo=UTC))
TEXTS = [
    "* * * * *",
    "*/7 * * * *",
    "0 8 * * 1-5",
    "30 1 * * *",
    "every 13h",
    "every 90s",
    "every 45m",
    "0 0 1 * *",
]
MODES = list(CatchUpMode)


def trigger(text: str, since: Micros = START) -> tuple[TriggerRecord, Schedule]:
    schedule = parse(text, "Europe/London", from_micros(START))
    record = TriggerRecord("j", "t", "cron", text, "Europe/London", START, since, next_due(schedule, since))
    return record, schedule


def moments(schedule: Schedule, after: Micros, until: Micros) -> list[Micros]:
    found = []
    moment = next_due(schedule, after)
    while moment is not None and moment <= until:
        found.append(moment)
        moment = next_due(schedule, moment)
    return found


def ran(planned: Plan) -> list[Micros]:
    return [row.due_at for row in planned.rows if row.outcome is Outcome.RAN]


@given(
    st.sampled_from(TEXTS),
    st.sampled_from(MODES),
    st.one_of(st.none(), st.integers(60, 200_000)),
    st.integers(0, 400 * 86_400).flatmap(lambda top: st.integers(0, max(1, top))),
    st.integers(0, 400 * 86_400),
)
@settings(max_examples=150, deadline=None)
def test_every_moment_is_in_exactly_one_row(
    text: str, mode: CatchUpMode, within: float | None, offset: int, down: int
) -> None:
    since = START + offset * SECOND
    record, schedule = trigger(text, since)
    now = since + down * SECOND
    planned = plan(record, schedule, CatchUp(mode, within), now)
    assert len(planned.rows) <= MAX_ROWS + 1
    assert len({row.key for row in planned.rows}) == len(planned.rows)
    single = [row for row in planned.rows if row.until is None]
    stretches = [row for row in planned.rows if row.until is not None]
    if down < 20 * 86_400 or "0 8" in text:
        expected = moments(schedule, since, now)
        found = [row.due_at for row in single]
        for row in stretches:
            assert row.until is not None
            inside = [m for m in expected if row.due_at <= m <= row.until]
            assert row.count in {0, len(inside)}
            assert row.outcome is Outcome.MISSED
            found += inside
        assert sorted(found) == expected
        assert planned.next_due == next_due(schedule, now)
    if planned.next_due is not None:
        assert planned.next_due > now


@given(st.sampled_from(TEXTS), st.integers(0, 30 * 86_400))
@settings(max_examples=60, deadline=None)
def test_looking_often_or_once_writes_the_same_runs_never_a_key_twice(text: str, down: int) -> None:
    record, schedule = trigger(text)
    end, now = START + down * SECOND, START
    keys: set[str] = set()
    while now < end:
        now = min(end, now + (end - START) // 7 + 1)
        planned = plan(record, schedule, CatchUp(), now)
        assert not keys & {row.key for row in planned.rows}
        keys |= {row.key for row in planned.rows}
        record = TriggerRecord(**{**record.__dict__, "since": planned.since, "next_due": planned.next_due})
    assert record.next_due == next_due(schedule, end)


@pytest.mark.parametrize(
    ("down", "reason"), [(1, "on_time"), (59, "on_time"), (61, "caught_up"), (5 * 3600, "caught_up")]
)
def test_a_daily_job_is_made_up_for_once(down: int, reason: str) -> None:
    record, schedule = trigger("0 10 * * *")
    due = START + HOUR
    planned = plan(record, schedule, CatchUp(), due + down * SECOND)
    (row,) = planned.rows
    assert (row.due_at, row.outcome, row.reason.code) == (due, Outcome.RAN, reason)
    assert planned.next_due == due + DAY


def test_latest_runs_the_latest_and_says_of_each_other_that_it_was_missed() -> None:
    record, schedule = trigger("0 * * * *")
    planned = plan(record, schedule, CatchUp(), START + 5 * HOUR + 30 * MINUTE)
    assert ran(planned) == [START + 5 * HOUR]
    assert [row.reason.code for row in planned.rows] == ["superseded"] * 4 + ["caught_up"]


def test_all_runs_all_and_none_none() -> None:
    record, schedule = trigger("0 * * * *")
    now = START + 5 * HOUR + 30 * MINUTE
    assert ran(plan(record, schedule, CatchUp(CatchUpMode.ALL), now)) == moments(schedule, START, now)
    none = plan(record, schedule, CatchUp(CatchUpMode.NONE), now)
    assert ran(none) == []
    assert {row.reason.code for row in none.rows} == {"no_catch_up"}


def test_none_still_runs_what_is_on_time() -> None:
    record, schedule = trigger("0 * * * *")
    assert ran(plan(record, schedule, CatchUp(CatchUpMode.NONE), START + 2 * HOUR + 5 * SECOND)) == [
        START + 2 * HOUR
    ]


@pytest.mark.parametrize("mode", [CatchUpMode.LATEST, CatchUpMode.ALL])
def test_within_leaves_out_what_is_too_old(mode: CatchUpMode) -> None:
    record, schedule = trigger("0 */6 * * *")
    now = START + 40 * HOUR
    planned = plan(record, schedule, CatchUp(mode, within=3600), now)
    assert ran(planned) == [m for m in moments(schedule, START, now) if m >= now - HOUR]
    assert "too_old" in {row.reason.code for row in planned.rows}


def test_a_year_of_minutes_is_a_hundred_rows_and_a_stretch() -> None:
    record, schedule = trigger("* * * * *")
    planned = plan(record, schedule, CatchUp(CatchUpMode.ALL), START + 365 * DAY)
    older = planned.rows[0]
    assert len(planned.rows) == MAX_ROWS + 1
    assert len(ran(planned)) == MAX_ROWS
    assert (older.outcome, older.reason.code, older.count) == (Outcome.MISSED, "too_many", 0)


def test_nothing_is_due_before_its_time_or_when_nothing_is_left() -> None:
    record, schedule = trigger("0 10 * * *")
    assert plan(record, schedule, CatchUp(), START).rows == ()
    done = TriggerRecord(**{**record.__dict__, "next_due": None})
    assert plan(done, schedule, CatchUp(), START + DAY) == Plan((), START, None)


@pytest.mark.parametrize("down", [HOUR, 3 * HOUR, 10 * DAY, 400 * DAY])
def test_a_pause_is_one_row(down: Micros) -> None:
    record, schedule = trigger("0 * * * *")
    planned = stretch(record, schedule, START + down, Outcome.SKIPPED, Reason("paused", "it was paused"))
    (row,) = planned.rows
    count = down // HOUR
    assert row.count == (count if count < MAX_COUNTED else 0)
    assert (row.until is None) == (count == 1)
    assert planned.next_due == START + down + HOUR


def test_a_key_is_the_instant() -> None:
    assert occurrence_key(START) == "2026-11-18T09:00:00Z"
    assert occurrence_key(START + 1) == "2026-11-18T09:00:00.000001Z"


@given(st.text(max_size=20), st.text(max_size=20), st.floats(0.1, 86_400))
def test_jitter_is_in_bounds_and_stays_what_it_was(job: str, key: str, seconds: float) -> None:
    delay = jitter_of(job, key, seconds)
    assert 0 <= delay <= seconds * SECOND + 1
    assert delay == jitter_of(job, key, seconds)
    assert jitter_of(job, key, 0) == 0


def test_jitter_spreads() -> None:
    assert len({jitter_of(f"job-{n}", "k", 600) for n in range(100)}) > 90
