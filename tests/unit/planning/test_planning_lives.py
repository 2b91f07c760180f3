"""When no daemon was there, and the moments on both sides of an instant."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from rota.model.instants import DAY, Micros, to_micros
from rota.model.ledger import DaemonRecord
from rota.planning.around import last_due
from rota.planning.due import next_due
from rota.planning.lives import Gap, gaps
from rota.schedule import parse

NOW = to_micros(datetime(2026, 11, 23, 12, tzinfo=UTC))


def life(start: int, seen: int, stopped: int | None = None) -> DaemonRecord:
    return DaemonRecord(f"d{start}", 1, "here", start, seen, stopped)


def test_gaps_before_between_and_after() -> None:
    lives = [life(40, 60), life(10, 19, 20)]
    assert gaps(lives, running=False) == [Gap(None, 10), Gap(20, 40), Gap(60, None)]
    assert gaps(lives, running=True) == [Gap(None, 10), Gap(20, 40)]
    assert gaps(lives, running=True, whole=False) == [Gap(20, 40)]
    assert gaps([], running=False) == []


def test_lives_that_overlap_leave_no_gap() -> None:
    assert gaps([life(0, 50, 50), life(10, 20, 20), life(50, 60)], running=True, whole=False) == []


def test_what_a_gap_touches() -> None:
    assert Gap(20, 40).touches(30, 30)
    assert Gap(20, 40).touches(0, 25)
    assert not Gap(20, 40).touches(41, 50)
    assert Gap(None, 10).touches(5, 5)
    assert Gap(60, None).touches(99, 99)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(
        ["* * * * *", "30 1 * * *", "0 0 29 2 *", "every 13h", "0 8 * * 1-5", "rrule:FREQ=MONTHLY"]
    ),
    st.integers(-400 * DAY, 400 * DAY),
)
def test_the_last_moment_is_the_one_before_which_nothing_else_comes(text: str, shift: Micros) -> None:
    schedule, at = parse(text, "Europe/London"), NOW + shift
    found = last_due(schedule, at)
    assert found is not None
    assert found < at
    following = next_due(schedule, found)
    assert following is not None
    assert following >= at


def test_there_is_no_last_moment_of_what_begins_later() -> None:
    schedule = parse("at 2026-12-01T09:00")
    assert last_due(schedule, NOW) is None
    assert last_due(schedule, NOW + 30 * DAY) == to_micros(datetime(2026, 12, 1, 9, tzinfo=UTC))
