"""`rota simulate`: what it reads from the state."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from tests.support.opened import Opened

from rota.app.commands import pause_job, run_job
from rota.app.jobedit import remove_job_file
from rota.app.simulate import LoadView, simulate
from rota.app.sync import sync
from rota.model.errors import NotFoundError
from rota.model.instants import DAY, HOUR, SECOND, to_micros
from rota.model.run import Reason, RunState
from rota.ports.store import Tx

STEPS = "steps:\n  - run: echo\n"
DAILY = f"schedule: '0 8 * * *'\n{STEPS}"


def look(opened: Opened, days: int = 2, *jobs: str) -> LoadView:
    return simulate(opened.app, days=days, start=opened.clock.now(), jobs=jobs)


def ran(opened: Opened, job_id: str, seconds: int, state: RunState = RunState.SUCCEEDED) -> None:
    """A run of the job that took so long."""
    run = run_job(opened.app, job_id)

    def work(tx: Tx) -> None:
        now = opened.clock.now()
        claimed = tx.runs.claim(run.id, "me", now, now + HOUR)
        assert claimed is not None
        tx.runs.finish(claimed, state, Reason("done", "done"), now + seconds * SECOND, {})

    opened.app.store.write_now(work)
    opened.clock.advance(1)


def test_days_are_those_of_the_workspaces_zone_and_the_first_and_last_are_partial(opened: Opened) -> None:
    opened.job("a", DAILY)
    view = look(opened)
    assert view.end - view.start == 2 * DAY
    assert [day.total.runs for day in view.days] == [0, 1, 1]
    assert view.days[1].start == to_micros(datetime(2026, 11, 19, tzinfo=UTC))


def test_the_usual_length_is_the_median_of_the_runs_that_succeeded(opened: Opened) -> None:
    opened.job("a", DAILY)
    for seconds in (2, 100, 4):
        ran(opened, "a", seconds)
    ran(opened, "a", 3000, RunState.FAILED)
    (load,) = look(opened).jobs
    assert load.expected.usual == 4 * SECOND
    assert load.total.work == 8 * SECOND


def test_a_job_that_ran_and_never_succeeded_is_told_from_one_that_never_ran(opened: Opened) -> None:
    opened.job("a", DAILY)
    opened.job("b", DAILY)
    ran(opened, "a", 3, RunState.FAILED)
    assert look(opened).unproven == {"a"}


def test_what_is_not_counted_and_why(opened: Opened) -> None:
    for name in ("counted", "asleep", "gone"):
        opened.job(name, DAILY)
    opened.job("off", f"enabled: false\n{DAILY}")
    opened.job("by-hand", STEPS)
    opened.job("chained", f"on:\n  - job: counted\n{STEPS}")
    opened.job("broken", "schedule: sometimes\n")
    pause_job(opened.app, "asleep", "too loud")
    remove_job_file(opened.app, "gone")
    view = look(opened)
    assert [load.expected.job.id for load in view.jobs] == ["counted"]
    assert [(name, reason.code) for name, reason in view.left_out] == [
        ("asleep", "paused"),
        ("broken", "broken"),
        ("by-hand", "no_time_trigger"),
        ("chained", "no_time_trigger"),
        ("off", "disabled"),
    ]


def test_a_broken_file_with_a_good_version_before_it_is_counted_and_said(opened: Opened) -> None:
    path = opened.job("a", f"if: now.hour > 3\n{DAILY}")
    path.write_text("schedule: sometimes\n")
    sync(opened.app)
    view = look(opened)
    assert view.jobs[0].total.runs == 2
    assert [reason.code for _, reason in view.notes] == ["broken", "condition"]
    assert view.left_out == ()


def test_some_jobs_alone(opened: Opened) -> None:
    opened.job("a", DAILY)
    opened.job("b", DAILY)
    assert [load.expected.job.id for load in look(opened, 2, "b").jobs] == ["b"]
    with pytest.raises(NotFoundError):
        look(opened, 2, "nothing")


def test_clocks_that_change(opened: Opened) -> None:
    opened.job("a", f"schedule: '30 1 * * *'\ntimezone: Europe/London\n{STEPS}")
    opened.clock.set(to_micros(datetime(2027, 3, 27, 12, tzinfo=UTC)))
    (shift,) = look(opened).shifts
    assert shift.effects == (("a", "30 1 * * *", "runs at 02:00"),)


def test_a_year_of_many_jobs_takes_seconds(opened: Opened) -> None:
    for number in range(40):
        opened.file(f".rota/jobs/j{number}.yaml", f"schedule: every {number + 1}s\n{STEPS}")
    opened.job("minute", f"schedule: '* * * * *'\n{STEPS}")
    began = time.process_time()
    view = look(opened, 366)
    assert time.process_time() - began < 10
    assert sum(day.total.due for day in view.days) > 366 * 86_400
