"""Ids of runs sort by time: an index of them grows at its end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rota.model.ids import RunIds, run_id

INSTANT = 1_763_712_000_000_000  # 2025-11-21 08:00:00 UTC


def test_an_id_says_when_to_the_second() -> None:
    assert run_id(INSTANT + 7, lambda _bits: 0) == "251121-080000-00070000"


@given(st.integers(0, 10**10), st.integers(1, 10**10), st.integers(0, 2**20 - 1), st.integers(0, 2**20 - 1))
def test_the_later_run_has_the_greater_id(start: int, later: int, one: int, other: int) -> None:
    first, second = INSTANT + start, INSTANT + start + later
    assert run_id(first, lambda _bits: one) < run_id(second, lambda _bits: other)
    assert len(run_id(first, lambda _bits: one)) == len("251121-080000-x7k2q9wd")


def test_no_two_runs_of_one_instant_have_the_same_id() -> None:
    """Even where chance gives each of them the same letters."""
    ids = RunIds(lambda _bits: 0)
    given_ = [ids.new(INSTANT) for _ in range(1000)]
    assert len(set(given_)) == 1000
    assert given_ == sorted(given_)
    assert given_[-1].startswith("251121-080000-")


def test_ids_follow_a_clock_that_was_put_back() -> None:
    ids = RunIds(lambda _bits: 0)
    ids.new(INSTANT + 3_600_000_000)
    assert ids.new(INSTANT) == "251121-080000-00000000"
