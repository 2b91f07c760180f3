"""Circles of jobs: found, spelled out, and refused where they would come into force."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.planning.chains import circle, refused

Edges = dict[str, list[str]]


@pytest.mark.parametrize(
    ("follows", "job", "way"),
    [
        ({"a": ["a"]}, "a", ("a", "a")),
        ({"a": ["b"], "b": ["a"]}, "a", ("a", "b", "a")),
        # a starts b, which starts c, which starts a
        ({"b": ["a"], "c": ["b"], "a": ["c", "x"]}, "a", ("a", "b", "c", "a")),
        ({"b": ["a"], "c": ["b"], "a": ["b", "c"]}, "a", ("a", "b", "a")),
        ({"b": ["a"], "c": ["a", "b"]}, "c", None),
        ({"b": ["a"], "a": ["b"], "c": ["a"]}, "c", None),
        ({}, "a", None),
    ],
)
def test_a_circle_is_spelled_as_its_jobs_start_each_other(
    follows: Edges, job: str, way: tuple[str, ...] | None
) -> None:
    assert circle(follows, job) == way


def test_of_changes_that_make_a_circle_together_the_last_is_refused() -> None:
    assert refused({}, {"a": ["b"], "b": ["a"]}) == {"b": ("b", "a", "b")}


def test_what_is_in_force_stays_and_the_change_is_refused_in_whatever_order() -> None:
    assert set(refused({"b": ["a"]}, {"a": ["b"], "b": ["a"]})) == {"a"}


def test_a_change_that_opens_a_circle_and_one_that_would_close_it_go_together() -> None:
    assert refused({"b": ["a"]}, {"a": ["b"], "b": []}) == {}


def test_a_refusal_that_brings_an_old_version_back_may_refuse_another() -> None:
    # b would stop following a, which a's change relies on, but b closes a circle of its own
    found = refused({"b": ["a"]}, {"a": ["b"], "b": ["c"], "c": ["b"]})
    assert set(found) == {"c"}
    assert set(refused({"b": ["a"]}, {"c": ["b"], "a": ["b"], "b": ["c"]})) == {"b", "a"}


def test_a_thousand_jobs_in_a_row_are_no_circle_until_the_last_is_followed_by_the_first() -> None:
    row: Edges = {f"j{number + 1}": [f"j{number}"] for number in range(1000)}
    assert refused({}, row) == {}
    (way,) = refused(row, {"j0": ["j1000"]}.copy()).values()
    assert way[:2] == ("j0", "j1")
    assert len(way) == 1002


jobs = st.sampled_from("abcdef")
edges = st.dictionaries(jobs, st.lists(jobs, max_size=3, unique=True))


@given(edges, edges)
def test_what_comes_into_force_has_no_circle_and_a_refusal_names_a_real_one(old: Edges, new: Edges) -> None:
    in_force = {job: ups for job, ups in old.items() if all(up < job for up in ups)}
    found = refused(in_force, new)
    assert found.keys() <= new.keys()
    after = {**in_force, **{job: ups for job, ups in new.items() if job not in found}}
    assert [job for job in after if circle(after, job)] == []
    for job, way in found.items():
        assert way[0] == way[-1] == job
        for starter, started in pairwise(way):
            assert starter in {*new.get(started, ()), *in_force.get(started, ())}
    together = {**in_force, **new}
    if not any(circle(together, job) for job in together):
        assert found == {}
