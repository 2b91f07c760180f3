"""Overlap, limits, retries, the order of steps, interruptions, and the time at work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.model.job import OnInterrupt, Overlap, Retry, Step
from rota.model.run import Attempt, Reason, Run, RunState, StepState
from rota.planning.admission import choose
from rota.planning.graph import next_steps
from rota.planning.overlap import MAX_QUEUED, admit
from rota.planning.recover import recover
from rota.planning.retry import delay
from rota.planning.worktime import worked


def a_run(name: str, state: RunState = RunState.QUEUED, *, job: str = "j", group: str | None = None) -> Run:
    return Run(name, job, state, "h", 0, group=group, reason=Reason("inbox", "for an answer"))


def a_step(name: str, *needs: str, tolerant: bool = False, after: bool = False) -> Step:
    return Step(name, "act", needs=None if after else needs, continue_on_error=tolerant)


@pytest.mark.parametrize("policy", list(Overlap))
def test_nothing_active_nothing_in_the_way(policy: Overlap) -> None:
    assert admit(policy, []).reason is None


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.RUNNING, "run r1 was still running"),
        (RunState.QUEUED, "run r1 was still queued"),
        (RunState.WAITING, "run r1 was still waiting (for an answer)"),
    ],
)
def test_skip_names_the_run_in_the_way(state: RunState, words: str) -> None:
    reason = admit(Overlap.SKIP, [a_run("r1", state)]).reason
    assert reason is not None
    assert words in reason.text


def test_queue_is_bounded_allow_is_not_and_cancel_ends_them_all() -> None:
    full = [a_run(str(n)) for n in range(MAX_QUEUED + 1)]
    assert admit(Overlap.QUEUE, full[:-1]).reason is None
    reason = admit(Overlap.QUEUE, full).reason
    assert reason is not None
    assert reason.code == "queue_full"
    assert admit(Overlap.ALLOW, full).reason is None
    assert admit(Overlap.CANCEL_RUNNING, full[:2]).cancel == ("0", "1")


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(["exponential", "fixed"]),
)
def test_a_retry_waits_within_its_bounds(attempts: int, attempt: int, spread: float, backoff: str) -> None:
    retry = Retry(attempts, backoff, first=10, max=600)
    wait = delay(retry, attempt, spread)
    if attempt >= attempts:
        assert wait is None
        return
    whole = 10 if backoff == "fixed" else min(600, 10 * 2 ** (attempt - 1))
    assert wait is not None
    assert whole / 2 <= wait <= whole


def test_a_wait_that_was_asked_for_is_the_least_and_does_not_add_tries() -> None:
    assert delay(Retry(3), 1, 0.5, retry_after=3600) == 3600
    assert delay(Retry(3), 1, 0.0, retry_after=1) == 5
    assert delay(Retry(3), 3, 0.5, retry_after=3600) is None
    assert delay(Retry(10_000), 9_000, 0.999) is not None


def test_a_job_or_group_at_its_limit_holds_up_no_other() -> None:
    waiting = [a_run("1", job="a"), a_run("2", job="a"), a_run("3", job="b", group="g"), a_run("4", job="c", group="g"), a_run("5", job="d")]  # fmt: skip
    limits = {"running_by_job": {}, "running_by_group": {}, "job_limits": {"a": 1}, "group_limits": {"g": 1}}
    assert [run.id for run in choose(waiting, free=9, **limits)] == ["1", "3", "5"]
    assert [run.id for run in choose(waiting, free=2, **limits)] == ["1", "3"]
    busy = {**limits, "running_by_job": {"a": 1}, "running_by_group": {"g": 1}}
    assert [run.id for run in choose(waiting, free=9, **busy)] == ["5"]
    assert choose(waiting, free=0, **limits) == []


def test_steps_follow_each_other_unless_they_say_otherwise() -> None:
    chain = [a_step("a", after=True), a_step("b", after=True), a_step("c"), a_step("d", "a", "c")]
    assert [s.id for s in next_steps(chain, {}).ready] == ["a", "c"]
    assert [s.id for s in next_steps(chain, {"a": StepState.SUCCEEDED, "c": StepState.SKIPPED}).ready] == [
        "b",
        "d",
    ]


def test_a_failure_blocks_what_is_behind_it_in_whatever_order_it_is_written() -> None:
    steps = [a_step("c", "b"), a_step("b", "a"), a_step("a"), a_step("x")]
    found = next_steps(steps, {"a": StepState.FAILED})
    assert {(step.id, obstacle) for step, obstacle in found.blocked} == {("b", "a"), ("c", "b")}
    assert [step.id for step in found.ready] == ["x"]
    again = next_steps(steps, {"a": StepState.FAILED, "b": StepState.SKIPPED})
    assert [(step.id, obstacle) for step, obstacle in again.blocked] == [("c", "b")]


def test_a_tolerated_failure_lets_pass_and_so_does_a_skipped_step() -> None:
    steps = [a_step("a", tolerant=True), a_step("b", "a"), a_step("c", "b")]
    assert [s.id for s in next_steps(steps, {"a": StepState.FAILED}).ready] == ["b"]
    assert [s.id for s in next_steps(steps, {"a": StepState.FAILED, "b": StepState.SKIPPED}).ready] == ["c"]


@given(st.data())
def test_no_step_before_its_needs_and_none_is_forgotten(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    steps = []
    for n in range(count):
        needs = data.draw(st.lists(st.sampled_from(range(n)), unique=True)) if n else []
        steps.append(a_step(str(n), *map(str, needs), tolerant=data.draw(st.booleans())))
    steps = data.draw(st.permutations(steps))
    states: dict[str, StepState] = {}
    outcome = st.sampled_from([StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED])
    tolerant = {step.id for step in steps if step.continue_on_error}
    ran: set[str] = set()
    for _ in range(2 * count + 2):
        found = next_steps(steps, states)
        states |= {step.id: StepState.SKIPPED for step, _ in found.blocked}
        if not found.ready:
            break
        step = data.draw(st.sampled_from(found.ready))
        for need in step.needs or ():
            assert need in ran
            assert states[need] is not StepState.FAILED or need in tolerant
        states[step.id] = data.draw(outcome)
        ran.add(step.id)
    assert set(states) == {step.id for step in steps}


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (OnInterrupt.RETRY, StepState.PENDING),
        (OnInterrupt.FAIL, StepState.FAILED),
        (OnInterrupt.ASK, StepState.WAITING),
    ],
)
def test_an_interrupted_step_does_as_it_says(policy: OnInterrupt, state: StepState) -> None:
    assert recover(policy).state is state
    assert recover(policy).reason.code == "interrupted"


def test_time_at_work_counts_what_ran_beside_each_other_once_and_no_waits() -> None:
    def attempt(start: int, end: int | None) -> Attempt:
        return Attempt("r", "s", 1, StepState.SUCCEEDED, start, end)

    assert worked([]) == 0
    assert (
        worked([attempt(100, 110), attempt(0, 10), attempt(5, 20), attempt(6, 8), attempt(200, None)]) == 30
    )
