"""What changes something: starting, cancelling, pausing, answering."""

from __future__ import annotations

from functools import partial

import pytest
from tests.support.opened import Opened

from rota.app.answers import answer
from rota.app.cancelling import cancel_run
from rota.app.commands import pause_job, resume_job, run_job
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.instants import HOUR
from rota.model.ledger import Outcome
from rota.model.message import Approval
from rota.model.run import Reason, Run, RunState, StepRun, StepState
from rota.ports.store import Tx

JOB = "schedule: every 1h\nparams:\n  n: {type: integer, default: 3}\n  loud: {type: boolean, default: false}\nsteps:\n  - run: echo\n"


def test_a_run_is_queued_with_typed_parameters(opened: Opened) -> None:
    opened.job("a", JOB)
    run = run_job(opened.app, "a", {"n": "7", "loud": "Yes"})
    assert run.state is RunState.QUEUED
    assert run.inputs["params"] == {"n": 7, "loud": True}
    occurrence = opened.app.store.read(lambda tx: tx.ledger.of("a"))[0]
    assert (occurrence.run_id, occurrence.outcome, occurrence.reason.text) == (
        run.id,
        Outcome.RAN,
        "started by hand",
    )


def test_a_second_run_waits_its_turn_or_is_forced(opened: Opened) -> None:
    opened.job("a", JOB)
    run_job(opened.app, "a")
    with pytest.raises(ConflictError, match="not started"):
        run_job(opened.app, "a")
    assert run_job(opened.app, "a", force=True).id


def test_a_queued_run_is_cancelled_at_once_and_its_occurrence_was_skipped(opened: Opened) -> None:
    opened.job("a", JOB)
    run = run_job(opened.app, "a")
    _, before = cancel_run(opened.app, run.id)
    assert before is RunState.QUEUED
    assert opened.app.store.read(lambda tx: tx.ledger.of("a"))[0].outcome is Outcome.SKIPPED
    with pytest.raises(ConflictError, match="over already"):
        cancel_run(opened.app, run.id)


def test_what_was_due_during_a_pause_is_in_the_ledger(opened: Opened) -> None:
    opened.job("a", JOB)
    pause_job(opened.app, "a", "holiday")
    with pytest.raises(ConflictError, match="paused already"):
        pause_job(opened.app, "a")
    opened.clock.advance(2.5 * HOUR / 1e6)
    resume_job(opened.app, "a")
    rows = opened.app.store.read(lambda tx: tx.ledger.of("a"))
    assert sum(row.count for row in rows) == 2
    assert {row.outcome for row in rows} == {Outcome.SKIPPED}
    assert {row.reason.text for row in rows} == {"the job was paused"}
    trigger = opened.app.store.read(lambda tx: tx.triggers.of("a"))[0]
    assert trigger.next_due is not None
    assert trigger.next_due > opened.clock.now()
    with pytest.raises(ConflictError, match="not paused"):
        resume_job(opened.app, "a")


def test_a_removed_job_cannot_be_run(opened: Opened) -> None:
    opened.job("a", JOB).unlink()
    from rota.app.sync import sync

    sync(opened.app)
    with pytest.raises(NotFoundError, match="was removed"):
        run_job(opened.app, "a")


def _wait(tx: Tx, run: Run, now: int, questions: list[Approval]) -> None:
    claimed = tx.runs.claim(run.id, "me", now, now + HOUR)
    assert claimed is not None
    for index, question in enumerate(questions):
        tx.runs.put_step(claimed, StepRun(run.id, question.step_id, index, StepState.WAITING))
        tx.approvals.ask(question)
    tx.runs.release(claimed, now, Reason("inbox", "waits"), state=RunState.WAITING)


def _question(run: Run, step: str, choices: tuple[str, ...] = ()) -> Approval:
    return Approval(run.id, step, "prompt", "What?", 1, run.job_id, choices)


def test_an_answer_lets_the_run_go_on(opened: Opened) -> None:
    opened.job("a", JOB)
    run = run_job(opened.app, "a")
    now = opened.clock.now()
    opened.app.store.write_now(
        partial(_wait, run=run, now=now, questions=[_question(run, "x", ("yes", "no"))])
    )
    with pytest.raises(RotaError, match="not one of the choices") as caught:
        answer(opened.app, run.id, "maybe")
    assert caught.value.hint == "answer with yes, no"
    assert answer(opened.app, run.id, "yes").step_id == "x"
    found = opened.app.store.read(lambda tx: tx.runs.get(run.id))
    assert found is not None
    assert found.state is RunState.QUEUED
    with pytest.raises(ConflictError, match="answered with yes by cli already"):
        answer(opened.app, run.id, "yes")


def test_of_several_questions_one_is_named(opened: Opened) -> None:
    opened.job("a", JOB)
    run = run_job(opened.app, "a")
    questions = [_question(run, "x"), _question(run, "y")]
    opened.app.store.write_now(partial(_wait, run=run, now=opened.clock.now(), questions=questions))
    with pytest.raises(RotaError, match="several open questions") as caught:
        answer(opened.app, run.id, "yes")
    assert "x, y" in (caught.value.hint or "")
    assert answer(opened.app, run.id, "yes", step="y").step_id == "y"
