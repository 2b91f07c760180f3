"""`rota why`: an answer in every situation."""

from __future__ import annotations

from functools import partial

from tests.support.opened import Opened

from rota.app.commands import pause_job, resume_job, run_job
from rota.app.jobedit import remove_job_file, set_job_keys
from rota.app.sync import sync
from rota.app.why import why
from rota.model.instants import HOUR
from rota.model.ledger import DaemonRecord
from rota.model.run import Reason, RunState
from rota.ports.store import Tx

DAILY = "schedule: '0 8 * * *'\nsteps:\n  - run: echo\n"


def words(opened: Opened, job_id: str = "a") -> str:
    return "\n".join(why(opened.app, job_id).words)


def test_never_due(opened: Opened) -> None:
    opened.job("a", DAILY)
    said = words(opened)
    assert "a has never been due." in said
    assert "No daemon has ever run on this workspace. Hint: rota up" in said
    assert "Next: in 20 h 53 min, Thu 08:00 UTC, for the first time." in said


def test_when_the_daemon_was_last_seen(opened: Opened) -> None:
    opened.job("a", DAILY)
    now = opened.clock.now()
    life = DaemonRecord("d", 1, "here", now - 3 * HOUR, now - 2 * HOUR)
    opened.app.store.write_now(lambda tx: tx.daemons.put(life))
    assert "No daemon is running; the last one was seen 2 h ago (Wed 18 Nov 2026 09:06:40 UTC)." in words(
        opened
    )


def test_a_run_that_failed(opened: Opened) -> None:
    opened.job("a", DAILY)
    run = run_job(opened.app, "a")

    def fail(tx: Tx, now: int) -> None:
        claimed = tx.runs.claim(run.id, "me", now, now + HOUR)
        assert claimed is not None
        tx.runs.finish(claimed, RunState.FAILED, Reason("exit", "step `run`: exit code 3"), now, {})

    opened.app.store.write_now(partial(fail, now=opened.clock.now()))
    assert f"ran: started by hand; run {run.id} failed (step `run`: exit code 3)" in words(opened)


def test_paused_disabled_broken_removed(opened: Opened) -> None:
    path = opened.job("a", DAILY)
    pause_job(opened.app, "a", "too loud")
    assert "(too loud): no trigger fires. Hint: rota resume a" in words(opened)
    assert "Next:" not in words(opened)
    opened.clock.advance(3 * 86400)
    resume_job(opened.app, "a")
    assert "skipped: the job was paused" in words(opened)
    set_job_keys(opened.app, "a", {"enabled": False})
    assert "disabled in its file" in words(opened)
    path.write_text(DAILY + "colour: red\n")
    sync(opened.app)
    assert "the last good version is in force" in words(opened)
    path.write_text(DAILY)
    sync(opened.app)
    remove_job_file(opened.app, "a")
    assert "The job was removed" in words(opened)


def test_no_time_of_its_own(opened: Opened) -> None:
    opened.job("a", "steps:\n  - run: echo\n")
    assert "It has no time trigger (manual). Start it with: rota run a" in words(opened)


def test_a_schedule_that_is_over(opened: Opened) -> None:
    opened.job("a", "schedule: at 2026-11-18T12:00\nsteps:\n  - run: echo\n")
    pause_job(opened.app, "a")
    opened.clock.advance(86400)
    resume_job(opened.app, "a")
    assert "Nothing is due any more: its schedule has come to its end." in words(opened)


def test_about_one_moment(opened: Opened) -> None:
    opened.job("a", "schedule: every 1h\nsteps:\n  - run: echo\n")
    view = why(opened.app, "a", at=opened.clock.now())
    assert view.words[0] == "Nothing was due Wed 18 Nov 2026 11:06:40 UTC."


def test_asked_about_a_moment_at_which_nothing_was_due_it_says_so(opened: Opened) -> None:
    opened.job("a", DAILY)
    run_job(opened.app, "a")
    now = opened.clock.now()
    assert not why(opened.app, "a", at=now).words[0].startswith("Nothing was due")
    assert why(opened.app, "a", at=now - 5 * HOUR).words[0].startswith("Nothing was due")
