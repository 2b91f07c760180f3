"""Running a run again: what it is given, what it takes over, and when it is refused."""

from __future__ import annotations

import pytest
from tests.support.opened import Opened

from rota.app.cancelling import cancel_run
from rota.app.commands import run_job
from rota.app.rerun import rerun
from rota.app.sync import sync
from rota.model.errors import ConflictError, NotFoundError
from rota.model.run import Reason, Run, RunState, StepRun, StepState
from rota.ports.store import Tx

JOB = "params: {n: {type: integer, default: 3}}\nsteps: [{id: a, run: echo}, {id: b, run: echo}, {id: c, run: echo}]\n"
BOOM = Reason("exit_code", "boom")


def a_run(opened: Opened, *states: StepState) -> Run:
    """A run of the job `j` that has failed, with these states of its steps."""
    run = run_job(opened.app, "j", {"n": "7"})
    now = opened.clock.now()

    def work(tx: Tx) -> None:
        held = tx.runs.claim(run.id, "me", now, now + 1)
        assert held is not None
        for index, state in enumerate(states):
            step = StepRun(
                run.id, "abc"[index], index, state, 1, now, now, None, None, f"out {index}", {"v": index}
            )
            tx.runs.put_step(held, step)
        tx.runs.finish(held, RunState.FAILED, BOOM, now, {})

    opened.app.store.write_now(work)
    opened.clock.advance(60)
    return run


def steps(opened: Opened, run: Run) -> list[StepRun]:
    return opened.app.store.read(lambda tx: tx.runs.steps(run.id))


def test_the_inputs_are_the_same_and_the_definition_is_todays(opened: Opened) -> None:
    opened.job("j", JOB)
    old = a_run(opened, StepState.FAILED)
    opened.job("j", JOB.replace("n: {type: integer, default: 3}", "n: {type: integer}, m: {default: new}"))
    new = rerun(opened.app, "j")
    assert new.inputs == {"params": {"n": 7, "m": "new"}, "rerun_of": old.id}
    assert (new.trigger_id, new.due_at, new.state) == ("rerun", old.due_at, RunState.QUEUED)
    assert new.definition != old.definition
    assert steps(opened, new) == []
    row = opened.app.store.read(lambda tx: tx.ledger.of("j"))
    assert f"run {old.id} again" in {one.reason.text for one in row}


def test_as_it_was_takes_the_definition_of_the_run_even_of_a_job_that_was_removed(opened: Opened) -> None:
    path = opened.job("j", JOB)
    old = a_run(opened, StepState.FAILED)
    path.unlink()
    sync(opened.app)
    with pytest.raises(NotFoundError, match="was removed") as error:
        rerun(opened.app, old.id)
    assert f"rota rerun {old.id} --as-it-was" in (error.value.hint or "")
    assert rerun(opened.app, old.id, as_it_was=True).definition == old.definition


def test_what_comes_before_the_step_is_taken_over_with_its_outputs(opened: Opened) -> None:
    opened.job("j", JOB)
    old = a_run(opened, StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED)
    new = rerun(opened.app, old.id[-8:], from_step="b")
    (taken,) = steps(opened, new)
    assert (taken.step_id, taken.state, taken.output, taken.values) == (
        "a",
        StepState.SUCCEEDED,
        "out 0",
        {"v": 0},
    )
    assert taken.reason == Reason("taken_over", f"taken over from run {old.id}")
    assert "from step `b`" in new.reason.text


def test_a_rerun_that_cannot_take_over_queues_nothing(opened: Opened) -> None:
    opened.job("j", JOB)
    old = a_run(opened, StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED)
    with pytest.raises(ConflictError, match="step `b` failed"):
        rerun(opened.app, old.id, from_step="c")
    with pytest.raises(NotFoundError, match="no step `x`"):
        rerun(opened.app, old.id, from_step="x")
    assert len(opened.app.store.read(lambda tx: tx.runs.recent(job_id="j"))) == 1


def test_a_run_that_has_not_ended_is_not_run_again(opened: Opened) -> None:
    opened.job("j", JOB)
    old = run_job(opened.app, "j")
    with pytest.raises(ConflictError, match="has not ended yet") as error:
        rerun(opened.app, "j")
    assert error.value.hint == f"wait for it, or end it: rota cancel {old.id}"
    cancel_run(opened.app, old.id)
    assert rerun(opened.app, "j").state is RunState.QUEUED
    with pytest.raises(ConflictError, match="not started: run"):
        rerun(opened.app, old.id)


def test_a_run_of_a_run_again_is_of_the_latter(opened: Opened) -> None:
    opened.job("j", JOB)
    a_run(opened, StepState.FAILED)
    second = rerun(opened.app, "j")
    cancel_run(opened.app, second.id)
    opened.clock.advance(60)
    assert rerun(opened.app, "j").inputs["rerun_of"] == second.id
