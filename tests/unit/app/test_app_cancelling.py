"""Cancelling through the facade: at once, whoever else is running, and with a reason."""

from __future__ import annotations

import pytest
from tests.support.opened import Opened

from rota.app.cancelling import cancel_job, cancel_run
from rota.app.commands import pause_job, run_job
from rota.app.sync import sync
from rota.model.errors import ConflictError, NotFoundError
from rota.model.run import Run, RunState, StepState

JOB = "overlap: queue\nnotify: [{type: command, command: [cat], when: finished, message: '{{ reason }}'}]\nsteps: [{id: a, run: echo}]\n"
AFTER = "on: [{job: j, when: finished}]\nsteps: [{run: echo}]\n"


def runs(opened: Opened, job_id: str = "j") -> list[Run]:
    return opened.app.store.read(lambda tx: tx.runs.recent(job_id=job_id))


def test_a_queued_run_ends_at_once_with_all_that_its_end_brings_about(opened: Opened) -> None:
    opened.job("j", JOB)
    opened.job("after", AFTER)
    run = run_job(opened.app, "j")
    _, before = cancel_run(opened.app, run.id, "  wrong\nday ")
    assert before is RunState.QUEUED
    (ended,) = runs(opened)
    assert (ended.state, ended.reason.text) == (RunState.CANCELLED, "wrong day")
    assert [step.state for step in opened.app.store.read(lambda tx: tx.runs.steps(run.id))] == [
        StepState.SKIPPED
    ]
    assert [m.body for m in opened.app.store.read(lambda tx: tx.outbox.recent())] == ["wrong day"]
    assert [one.state for one in runs(opened, "after")] == [RunState.QUEUED]


def test_all_active_runs_of_a_job_and_no_others(opened: Opened) -> None:
    opened.job("j", JOB)
    opened.job("other", JOB)
    for job_id in ("j", "j", "other"):
        run_job(opened.app, job_id)
    assert len(cancel_job(opened.app, "j")) == 2
    assert {(run.state, run.reason.text) for run in runs(opened)} == {
        (RunState.CANCELLED, "cancelled by hand")
    }
    assert [run.state for run in runs(opened, "other")] == [RunState.QUEUED]
    with pytest.raises(ConflictError, match="no active run"):
        cancel_job(opened.app, "j")
    with pytest.raises(NotFoundError, match="there is no job `k`"):
        cancel_job(opened.app, "k")


def test_a_running_run_shows_why_it_is_to_end(opened: Opened) -> None:
    opened.job("j", JOB)
    run, now = run_job(opened.app, "j"), opened.clock.now()
    opened.app.store.write_now(lambda tx: tx.runs.claim(run.id, "me", now, now + 1))
    _, before = cancel_run(opened.app, "j", "enough")
    assert before is RunState.RUNNING
    assert [(one.state, one.reason.text) for one in runs(opened)] == [(RunState.RUNNING, "enough")]


def test_removing_a_job_ends_what_has_not_started_without_a_daemon(opened: Opened) -> None:
    path = opened.job("j", JOB)
    run_job(opened.app, "j")
    path.unlink()
    sync(opened.app)
    assert [(one.state, one.reason.code) for one in runs(opened)] == [(RunState.CANCELLED, "removed")]


def test_pausing_a_job_ends_what_its_triggers_have_queued_without_a_daemon(opened: Opened) -> None:
    opened.job("j", JOB)
    opened.job("after", AFTER)
    cancel_run(opened.app, run_job(opened.app, "j").id)
    pause_job(opened.app, "after")
    assert [(one.state, one.reason.code) for one in runs(opened, "after")] == [(RunState.CANCELLED, "paused")]
