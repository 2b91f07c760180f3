"""`rota why` of a job that does not fire: every reason that there can be."""

from __future__ import annotations

import pytest
from tests.support.opened import Opened

from rota.app.commands import run_job
from rota.app.jobedit import remove_job_file
from rota.app.sync import sync
from rota.app.why import why
from rota.model.errors import NotFoundError
from rota.model.instants import HOUR
from rota.model.run import Reason, RunState
from rota.ports.store import Tx

STEPS = "steps:\n  - run: echo\n"
DAILY = f"schedule: '0 8 * * *'\n{STEPS}"


def codes(opened: Opened, job_id: str = "a") -> list[str]:
    return [note.code for note in why(opened.app, job_id).notes]


def words(opened: Opened, job_id: str = "a") -> str:
    return "\n".join(why(opened.app, job_id).words)


def finish(opened: Opened, job_id: str, state: RunState) -> None:
    """A run of the job that has ended so."""
    run, now = run_job(opened.app, job_id), opened.clock.now()

    def end(tx: Tx) -> None:
        claimed = tx.runs.claim(run.id, "me", now, now + HOUR)
        assert claimed is not None
        tx.runs.finish(claimed, state, Reason("exit", "exit code 3"), now, {})

    opened.app.store.write_now(end)
    opened.clock.advance(60)


def test_a_file_that_never_was_good(opened: Opened) -> None:
    opened.job("a", f"schedule: sometimes\n{STEPS}")
    view = why(opened.app, "a")
    assert (view.status, view.occurrences, view.next_due) == ("broken", [], None)
    assert view.words[0] == "a has never been due."
    assert "Its file .rota/jobs/a.yaml:1 cannot be used" in view.words[1]
    assert "`sometimes`" in view.words[1]
    assert view.words[2].startswith("Hint: ")


def test_a_job_that_was_removed_and_came_back_broken(opened: Opened) -> None:
    path = opened.job("a", DAILY)
    remove_job_file(opened.app, "a")
    path.write_text(f"schedule: sometimes\n{STEPS}")
    sync(opened.app)
    said = words(opened)
    assert "The job was removed" in said
    assert "a.yaml:1 cannot be used" in said


def test_a_job_that_there_is_not(opened: Opened) -> None:
    with pytest.raises(NotFoundError):
        why(opened.app, "nothing")


def test_a_condition_as_it_is_now(opened: Opened) -> None:
    opened.job("a", f"if: now.hour > 20\n{DAILY}")
    assert "Its `if: now.hour > 20` is false now: due now, it would be skipped." in words(opened)
    opened.job("a", f"if: now.hour < 20\n{DAILY}")
    assert "Its `if: now.hour < 20` is true now." in words(opened)
    opened.job("a", f"if: now.hour / 0 > 1\n{DAILY}")
    assert "condition_error" in codes(opened)
    opened.job("a", f"if: payload.x == 1\n{DAILY}")
    assert "condition_of_call" in codes(opened)


def test_a_window_that_keeps_it_out(opened: Opened) -> None:
    opened.job("a", f"window: Sat 09:00-17:00\n{DAILY}")
    assert (
        "Its next moment is outside the window Sat 09:00-17:00: it opens Sat 21 Nov 2026 09:00 UTC; "
        "it is put off until then."
    ) in words(opened)
    opened.job("a", f"not_during: {{times: ['07:00-09:00'], otherwise: skip}}\n{DAILY}")
    assert "in not_during 07:00-09:00: it opens Thu 19 Nov 2026 09:00 UTC; it will be skipped." in words(
        opened
    )
    opened.job("a", f"window: '07:00-09:00'\n{DAILY}")
    assert "window" not in codes(opened)


def test_a_schedule_that_was_over_before_the_job_was_made(opened: Opened) -> None:
    opened.job("a", f"schedule: at 2026-11-01T09:00\n{STEPS}")
    assert "was over before the job was made: nothing is ever due by it." in words(opened)


def test_a_trigger_that_this_version_reads_and_does_not_listen_for(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rota.app import why_not

    monkeypatch.setattr(why_not, "LATER", {"on.reboot": "the `reboot` trigger is read, but not acted on yet"})
    opened.job("a", f"on:\n  - reboot: true\n{STEPS}")
    assert "Its `reboot` trigger is read, but not acted on yet." in words(opened)


def test_a_job_that_follows_another(opened: Opened) -> None:
    opened.job("a", f"on:\n  - job: first\n{STEPS}")
    assert "the job `first` does not exist" in words(opened)
    opened.job("first", STEPS)
    assert "after `first` has succeeded, which it never has (it has no runs yet)." in words(opened)
    finish(opened, "first", RunState.FAILED)
    assert "which it never has (its last run is failed: exit code 3)." in words(opened)
    finish(opened, "first", RunState.SUCCEEDED)
    assert "which was last so Wed 18 Nov 2026 11:07:40 UTC." in words(opened)
    opened.job("late", f"on:\n  - job: first\n{STEPS}")
    assert "11:07:40 UTC, before this job was made." in words(opened, "late")


def test_a_job_of_the_daemons_start(opened: Opened) -> None:
    opened.job("a", f"schedule: '@reboot'\n{STEPS}")
    assert "It starts when the daemon starts" in words(opened)


def test_what_is_due_and_nobody_has_looked_at(opened: Opened) -> None:
    opened.job("a", f"schedule: every 1h\n{STEPS}")
    opened.clock.advance(3 * 3600 + 5)
    said = words(opened)
    assert "a has not run yet." in said
    assert (
        "Next: due since Wed 18 Nov 2026 12:06:40 UTC, and nobody has looked yet (3 moments). "
        "The next look runs 1, and records the others as missed (catch_up: latest)."
    ) in said
    opened.job("a", f"schedule: every 1h\ncatch_up: all\n{STEPS}")
    assert "The next look runs them (catch_up: all)." in words(opened)


def test_what_is_under_way(opened: Opened) -> None:
    opened.job("a", DAILY)
    run = run_job(opened.app, "a")
    assert f"Run {run.id} is queued since Wed 18 Nov 2026 11:06:40 UTC" in words(opened)
    now = opened.clock.now()
    owner = "elsewhere-1-abc"  # a process of another machine is taken to live as long as its lease
    claimed = opened.app.store.write_now(lambda tx: tx.runs.claim(run.id, owner, now, now + HOUR))
    assert claimed is not None
    assert f"Run {run.id} is at work since" in words(opened)
    opened.clock.advance(2 * 3600)
    assert f"Run {run.id} was at work when its process ended" in words(opened)
    asks = Reason("ask", "asks you")
    opened.app.store.write_now(lambda tx: tx.runs.release(claimed, now, asks, state=RunState.WAITING))
    assert f"Run {run.id} waits (asks you). Hint: rota inbox" in words(opened)
