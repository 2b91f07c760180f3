"""What holds for every schedule, queue and graph of steps, however they come about."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.model.instants import DAY, SECOND, Micros, from_micros, micros, to_micros
from rota.model.job import CatchUp, CatchUpMode, OnInterrupt, Overlap, Step
from rota.model.ledger import Outcome, TriggerRecord
from rota.model.run import Reason, Run, RunState, StepState
from rota.planning.admission import choose
from rota.planning.due import (
    GRACE,
    MAX_ROWS,
    MAX_SPREAD,
    Plan,
    next_due,
    occurrence_key,
    plan,
    spread,
    stretch,
)
from rota.planning.graph import next_steps
from rota.planning.overlap import MAX_QUEUED, admit
from rota.planning.recover import recover
from rota.schedule import Schedule, parse

START = to_micros(
    datetime(2026, 10, 24, 9, 0, tzinfo=UTC)
)  # London's clocks go back in the night that follows
TEXTS = [
    "*/20 * * * *",
    "30 1 * * *",
    "0 9 * * 1-5",
    "every 13h",
    "every 50m",
    "0 0 1 * *",
    "at 2026-10-25T01:30",
]
schedules = st.sampled_from(TEXTS)
down = st.integers(0, 8 * 86_400)
within = st.one_of(st.none(), st.integers(60, 300_000))


def due(text: str) -> tuple[TriggerRecord, Schedule]:
    schedule = parse(text, "Europe/London", from_micros(START))
    first = next_due(schedule, START)
    return TriggerRecord("j", "t", schedule.kind, text, "Europe/London", START, START, first), schedule


def moments(schedule: Schedule, until: Micros) -> list[Micros]:
    found: list[Micros] = []
    moment = next_due(schedule, START)
    while moment is not None and moment <= until:
        found.append(moment)
        moment = next_due(schedule, moment)
    return found


def ran(planned: Plan) -> list[Micros]:
    return [row.due_at for row in planned.rows if row.outcome is Outcome.RAN]


@given(schedules, within, down)
@settings(deadline=None)
def test_none_makes_up_for_nothing_that_is_late(text: str, limit: float | None, seconds: int) -> None:
    trigger, schedule = due(text)
    now = START + seconds * SECOND
    runs = ran(plan(trigger, schedule, CatchUp(CatchUpMode.NONE, limit), now))
    prompt = [moment for moment in moments(schedule, now) if now - moment <= GRACE]
    assert runs == prompt[-1:]


@given(schedules, within, down)
@settings(deadline=None)
def test_latest_runs_the_latest_that_is_young_enough(text: str, limit: float | None, seconds: int) -> None:
    trigger, schedule = due(text)
    now = START + seconds * SECOND
    runs = ran(plan(trigger, schedule, CatchUp(CatchUpMode.LATEST, limit), now))
    oldest = now - max(GRACE, DAY * 365 if limit is None else micros(limit))
    assert runs == [moment for moment in moments(schedule, now) if moment >= oldest][-1:]


@given(schedules, within, down)
@settings(deadline=None)
def test_all_runs_the_newest_hundred_that_are_young_enough(
    text: str, limit: float | None, seconds: int
) -> None:
    trigger, schedule = due(text)
    now = START + seconds * SECOND
    planned = plan(trigger, schedule, CatchUp(CatchUpMode.ALL, limit), now)
    oldest = now - max(GRACE, DAY * 365 if limit is None else micros(limit))
    whole = moments(schedule, now)
    assert ran(planned) == [moment for moment in whole[-MAX_ROWS:] if moment >= oldest]
    if len(whole) > MAX_ROWS:
        left_out = planned.rows[0]
        assert (left_out.outcome, left_out.reason.code) == (Outcome.MISSED, "too_many")
        assert left_out.count == len(whole) - MAX_ROWS


@given(schedules, down)
@settings(deadline=None)
def test_a_stretch_is_one_row_that_runs_nothing_and_holds_every_moment(text: str, seconds: int) -> None:
    trigger, schedule = due(text)
    now = START + seconds * SECOND
    planned = stretch(trigger, schedule, now, Outcome.SKIPPED, Reason("paused", "it was paused"))
    whole = moments(schedule, now)
    assert [row.count for row in planned.rows] == ([len(whole)] if whole else [])
    for row in planned.rows:
        assert (row.due_at, row.until or row.due_at) == (whole[0], whole[-1])
        assert row.outcome is Outcome.SKIPPED
    assert planned.next_due == next_due(schedule, now)


@given(schedules, st.sampled_from(list(CatchUpMode)), st.lists(st.integers(0, 2 * 86_400), max_size=6))
@settings(deadline=None)
def test_each_moment_runs_at_most_once_however_often_one_looks(
    text: str, mode: CatchUpMode, waits: list[int]
) -> None:
    trigger, schedule = due(text)
    now, seen = START, Counter[str]()
    for wait in waits:
        now += wait * SECOND
        planned = plan(trigger, schedule, CatchUp(mode), now)
        seen.update(row.key for row in planned.rows if row.until is None)
        trigger = TriggerRecord(**{**trigger.__dict__, "since": planned.since, "next_due": planned.next_due})
    whole = [occurrence_key(moment) for moment in moments(schedule, now)]
    assert set(seen.values()) <= {1}
    assert set(seen) <= set(whole)
    assert trigger.next_due == next_due(schedule, now)


@given(st.integers(0, 5_000))
def test_late_runs_are_spread_in_order_and_not_for_ever(place: int) -> None:
    assert spread(0) == 0
    assert spread(place) <= spread(place + 1) <= MAX_SPREAD
    assert spread(place + 1) > spread(place) or spread(place) == MAX_SPREAD


def a_run(name: str, state: RunState = RunState.QUEUED, job: str = "j", group: str | None = None) -> Run:
    return Run(name, job, state, "h", 0, group=group, reason=Reason("inbox", "for an answer"))


states = st.sampled_from([RunState.QUEUED, RunState.RUNNING, RunState.WAITING])


@given(st.sampled_from(list(Overlap)), st.lists(states, max_size=MAX_QUEUED + 5))
def test_a_run_is_let_in_kept_out_or_takes_the_place_of_the_others(
    policy: Overlap, beside: list[RunState]
) -> None:
    active = [a_run(f"r{number}", state) for number, state in enumerate(beside)]
    admission = admit(policy, active)
    assert admission.reason is None or not admission.cancel, (
        "nobody is cancelled for a run that does not come"
    )
    kept = len(active) - len(admission.cancel) + (admission.reason is None)
    most = {
        Overlap.SKIP: max(1, len(active)),
        Overlap.QUEUE: max(MAX_QUEUED + 1, len(active)),
        Overlap.CANCEL_RUNNING: 1,
        Overlap.ALLOW: len(active) + 1,
    }[policy]
    assert kept <= most
    assert admission.reason is None or policy in {Overlap.SKIP, Overlap.QUEUE}


names = st.sampled_from("abcd")
queued = st.lists(st.tuples(names, st.one_of(st.none(), st.sampled_from("gh"))), max_size=25)
limits = st.dictionaries(names, st.integers(0, 3))


@given(queued, st.integers(0, 10), limits, limits, st.dictionaries(st.sampled_from("gh"), st.integers(0, 3)))
def test_what_is_chosen_is_as_much_as_the_limits_allow_and_no_more(
    waiting: list[tuple[str, str | None]],
    free: int,
    running: dict[str, int],
    job_limits: dict[str, int],
    group_limits: dict[str, int],
) -> None:
    runs = [a_run(str(n), job=job, group=group) for n, (job, group) in enumerate(waiting)]
    chosen = choose(
        runs, free=free, running_by_job=running, running_by_group={}, job_limits=job_limits,
        group_limits=group_limits,
    )  # fmt: skip
    assert [run for run in runs if run in chosen] == chosen, "in the order of the queue"
    assert len(chosen) <= free
    jobs = Counter(run.job_id for run in chosen)
    groups = Counter(run.group for run in chosen if run.group)
    full_jobs = {job for job, most in job_limits.items() if running.get(job, 0) + jobs[job] >= most}
    full_groups = {group for group, most in group_limits.items() if groups[group] >= most}
    for job in jobs:
        assert running.get(job, 0) + jobs[job] <= job_limits.get(job, 1000)
    for group in groups:
        assert groups[group] <= group_limits.get(group, 1000)
    if len(chosen) < free:
        for run in runs:
            assert run in chosen or run.job_id in full_jobs or run.group in full_groups


def a_step(name: str, needs: list[str], *, tolerant: bool = False) -> Step:
    return Step(name, "act", needs=tuple(needs), continue_on_error=tolerant)


@st.composite
def graphs(draw: st.DrawFn) -> list[Step]:
    steps = []
    for number in range(draw(st.integers(1, 7))):
        earlier = [str(n) for n in range(number)]
        needs = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        steps.append(a_step(str(number), needs, tolerant=draw(st.booleans())))
    return steps


@given(graphs(), st.data())
def test_the_order_in_which_steps_are_written_changes_nothing(steps: list[Step], data: st.DataObject) -> None:
    states = {
        step.id: data.draw(st.sampled_from(list(StepState))) for step in steps if data.draw(st.booleans())
    }
    shuffled = data.draw(st.permutations(steps))
    one, other = next_steps(steps, states), next_steps(shuffled, states)
    assert {step.id for step in one.ready} == {step.id for step in other.ready}
    assert {step.id for step, _ in one.blocked} == {step.id for step, _ in other.blocked}
    assert not {step.id for step in one.ready} & {step.id for step, _ in one.blocked}
    pending = {s.id for s in steps if states.get(s.id, StepState.PENDING) is StepState.PENDING}
    assert {step.id for step in one.ready} <= pending


@given(graphs(), st.data())
def test_an_interrupted_step_is_ready_again_in_the_way_or_waited_for(
    steps: list[Step], data: st.DataObject
) -> None:
    policy = data.draw(st.sampled_from(list(OnInterrupt)))
    hit = data.draw(st.sampled_from(steps))
    states = {step.id: StepState.SUCCEEDED for step in steps if int(step.id) < int(hit.id)}
    found = next_steps(steps, {**states, hit.id: recover(policy).state})
    ready, blocked = {step.id for step in found.ready}, {step.id for step, _ in found.blocked}
    behind = {step.id for step in steps if hit.id in (step.needs or ())}
    assert (hit.id in ready) == (policy is OnInterrupt.RETRY)
    if policy is OnInterrupt.FAIL and not hit.continue_on_error:
        assert behind <= blocked
    else:
        assert not behind & blocked
    if policy is not OnInterrupt.FAIL:
        assert not behind & ready, "nothing goes on before it is known what became of it"


@pytest.mark.parametrize("policy", list(OnInterrupt))
def test_what_becomes_of_an_interrupted_step_has_its_reason(policy: OnInterrupt) -> None:
    reason = recover(policy).reason
    assert reason.code == "interrupted"
    assert "rota ended while it ran" in reason.text
