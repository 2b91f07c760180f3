"""Which moments did not run, and which steps need not run again."""

from __future__ import annotations

import pytest

from rota.model.errors import ConflictError, NotFoundError
from rota.model.instants import HOUR, Micros
from rota.model.job import Job, Step
from rota.model.ledger import Occurrence, Outcome
from rota.model.run import Reason, Run, RunState, StepRun, StepState
from rota.planning.backfill import gaps, moments
from rota.planning.due import occurrence_key
from rota.planning.graph import closed, followers_of
from rota.planning.rerun import taken_over
from rota.schedule import parse

WHY = Reason("cancelled", "by hand")
OLD = Run("old", "j", RunState.FAILED, "h", 0)


def row(due_at: Micros, outcome: Outcome, until: Micros | None = None, trigger: str = "t") -> Occurrence:
    key = occurrence_key(due_at) if until is None else f"{occurrence_key(due_at)}..{occurrence_key(until)}"
    return Occurrence("j", trigger, key, due_at, 0, outcome, Reason("x", "because"), until=until)


def steps(*needs: tuple[str, str | None], tolerant: str = "") -> tuple[Step, ...]:
    """(id, ids that it needs, or None for the step before)."""
    return tuple(
        Step(name, "act", needs=None if n is None else tuple(n.split()), continue_on_error=name == tolerant)
        for name, n in needs
    )


def journal(**states: StepState) -> dict[str, StepRun]:
    return {
        name: StepRun("old", name, index, state, attempts=int(state is not StepState.PENDING), output=name)
        for index, (name, state) in enumerate(states.items())
    }


LINE = steps(("a", None), ("b", None), ("c", None))
FORK = steps(("a", ""), ("b", "a"), ("c", "a"), ("d", "b c"), ("e", ""))


def test_the_first_moment_of_the_span_is_in_it_and_its_end_is_not() -> None:
    hourly = [("t", parse("every 1h")), ("u", parse("every 2h"))]
    found = moments(hourly, 0, 3 * HOUR, 100)
    assert found == [(0, "t"), (0, "u"), (HOUR, "t"), (2 * HOUR, "t"), (2 * HOUR, "u")]
    assert len(moments(hourly, 0, 1000 * HOUR, 10)) == 11
    assert moments([("t", parse("at 1970-01-01T05:00"))], 0, HOUR, 10) == []


def test_what_ran_is_left_alone_and_what_a_stretch_stands_for_did_not() -> None:
    due = [(n * HOUR, "t") for n in range(5)]
    rows = [
        row(0, Outcome.RAN),
        row(HOUR, Outcome.MISSED, 2 * HOUR),
        row(3 * HOUR, Outcome.SKIPPED),
        row(4 * HOUR, Outcome.RAN, trigger="another"),
    ]
    found = gaps(due, rows)
    assert [gap.due_at // HOUR for gap in found] == [1, 2, 3, 4]
    assert [gap.before for gap in found] == [rows[1], rows[1], rows[2], None]


def test_a_moment_of_a_stretch_that_was_backfilled_before_has_run() -> None:
    rows = [row(HOUR, Outcome.MISSED, 2 * HOUR), row(HOUR, Outcome.RAN)]
    assert [gap.due_at // HOUR for gap in gaps([(HOUR, "t"), (2 * HOUR, "t")], rows)] == [2]


def test_followers_are_found_through_others_and_in_any_order() -> None:
    assert followers_of(LINE, "b") == {"b", "c"}
    assert followers_of(FORK, "b") == {"b", "d"}
    assert followers_of(FORK[::-1], "a") == {"a", "b", "c", "d"}


def test_what_does_not_wait_for_the_first_step_is_taken_over() -> None:
    done = journal(
        a=StepState.SUCCEEDED, b=StepState.FAILED, c=StepState.SKIPPED, d=StepState.SKIPPED, e=StepState.SUCCEEDED
    )  # fmt: skip
    copies = taken_over(Job("j", "j", FORK), "b", OLD, done)
    assert [(step.step_id, step.state.value, step.output, step.attempts) for step in copies] == [
        ("a", "succeeded", "a", 0),
        ("c", "skipped", "c", 0),
        ("e", "succeeded", "e", 0),
    ]
    assert copies[0].reason == Reason("taken_over", "taken over from run old")


def test_a_step_that_failed_and_was_allowed_to_is_taken_over_and_another_is_not() -> None:
    done = journal(a=StepState.FAILED, b=StepState.SUCCEEDED)
    tolerant = Job("j", "j", steps(("a", None), ("b", None), tolerant="a"))
    assert [step.step_id for step in taken_over(tolerant, "b", OLD, done)] == ["a"]
    with pytest.raises(ConflictError, match="step `a` failed in run old") as error:
        taken_over(Job("j", "j", LINE[:2]), "b", OLD, done)
    assert "--from a" in (error.value.hint or "")


def test_steps_that_are_not_there_are_named() -> None:
    with pytest.raises(NotFoundError, match="no step `x`") as error:
        taken_over(Job("j", "j", LINE), "x", OLD, {})
    assert error.value.hint == "its steps: a, b, c"
    with pytest.raises(ConflictError, match="did not come to step `b`"):
        taken_over(Job("j", "j", LINE), "c", OLD, journal(a=StepState.SUCCEEDED))


def test_a_cancelled_run_leaves_no_step_open() -> None:
    before = journal(a=StepState.WAITING, b=StepState.PENDING, c=StepState.PENDING)
    after = closed(LINE, before, WHY, 7)
    assert [(step.state.value, step.finished_at) for step in after.values()] == [
        ("cancelled", 7),
        ("skipped", 7),
        ("skipped", 7),
    ]
    assert after["a"].reason == WHY
    assert after["b"].reason == Reason("needs_failed", "step `a` did not succeed")
    assert closed(LINE, after, WHY, 9) == after


def test_steps_of_a_run_that_never_began_are_skipped_for_its_reason() -> None:
    after = closed(FORK, {s.id: StepRun("r", s.id, n) for n, s in enumerate(FORK)}, WHY, 7)
    assert {(step.state, step.reason) for step in after.values()} == {(StepState.SKIPPED, WHY)}
