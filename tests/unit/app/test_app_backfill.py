"""What a backfill would run, what it writes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.clock import START
from tests.support.opened import Opened

from rota.app.backfill import MOST, Backfill, backfill, plan_backfill
from rota.app.cancelling import cancel_job
from rota.app.commands import pause_job
from rota.app.why import why
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.instants import DAY, HOUR, Micros
from rota.model.ledger import Occurrence, Outcome
from rota.model.run import Reason

JOB = 'schedule: "0 * * * *"\nparams: {n: {type: integer, default: 3}}\nsteps: [{run: echo}]\n'
NOW = START
HOUR_ = START - START % HOUR  # 11:00 of the day


def do(opened: Opened, start: Micros, end: Micros, **options: object) -> Backfill:
    return backfill(opened.app, plan_backfill(opened.app, "a", start, end, **options))  # type: ignore[arg-type]


def ledger(opened: Opened) -> list[Occurrence]:
    """Oldest first."""
    return opened.app.store.read(lambda tx: tx.ledger.of("a", limit=500))[::-1]


def write(opened: Opened, due_at: Micros, outcome: Outcome, words: str, until: Micros | None = None) -> None:
    from rota.planning.due import occurrence_key

    key = occurrence_key(due_at) + (f"..{occurrence_key(until)}" if until else "")
    row = Occurrence("a", "cron", key, due_at, due_at, outcome, Reason("x", words), until=until, count=3)
    opened.app.store.write_now(lambda tx: tx.ledger.add(row))


def test_each_moment_gets_a_run_and_a_row_and_a_second_time_nothing(opened: Opened) -> None:
    opened.job("a", JOB)
    first = do(opened, HOUR_ - 3 * HOUR, HOUR_, params={"n": "7"})
    assert (first.moments, first.ran, first.to_run) == (3, 0, 3)
    runs = [opened.app.store.read(lambda tx: tx.runs.get(one.run_id or "")) for one in first.missed]  # noqa: B023
    assert [run.due_at for run in runs if run] == [HOUR_ - n * HOUR for n in (3, 2, 1)]
    assert {run.inputs["params"]["n"] for run in runs if run} == {7}
    assert [(row.run_id, row.outcome, row.count) for row in ledger(opened)] == [
        (one.run_id, Outcome.RAN, 1) for one in first.missed
    ]
    again = do(opened, HOUR_ - 3 * HOUR, HOUR_)
    assert (again.moments, again.ran, again.missed) == (3, 3, ())
    assert len(opened.app.store.read(lambda tx: tx.runs.recent(job_id="a"))) == 3


def test_a_plan_that_is_carried_out_twice_queues_nothing_twice(opened: Opened) -> None:
    opened.job("a", JOB)
    planned = plan_backfill(opened.app, "a", HOUR_ - 3 * HOUR, HOUR_)
    assert opened.app.store.read(lambda tx: tx.ledger.of("a")) == []
    assert all(one.run_id for one in backfill(opened.app, planned).missed)
    assert not any(one.run_id for one in backfill(opened.app, planned).missed)


def test_the_ledger_keeps_what_it_said_before(opened: Opened) -> None:
    opened.job("a", JOB)
    write(opened, HOUR_ - 5 * HOUR, Outcome.RAN, "started when due")
    write(opened, HOUR_ - 4 * HOUR, Outcome.MISSED, "nothing was running", until=HOUR_ - 2 * HOUR)
    write(opened, HOUR_ - HOUR, Outcome.SKIPPED, "another was running")
    done = do(opened, HOUR_ - 5 * HOUR, HOUR_)
    assert (done.moments, done.ran, done.to_run) == (5, 1, 4)
    rows = ledger(opened)
    stretch = next(row for row in rows if row.until is not None)
    assert (stretch.outcome, stretch.reason.text, stretch.count) == (Outcome.MISSED, "nothing was running", 3)
    own = [row for row in rows if row.until is None]
    assert {row.outcome for row in own} == {Outcome.RAN}
    assert own[0].reason.text == "started when due"
    assert own[1].reason.text == "backfilled on Wed 18 Nov 2026; before: missed (nothing was running)"
    assert own[4].reason.text == "backfilled on Wed 18 Nov 2026; before: skipped (another was running)"
    assert own[4].run_id == done.missed[-1].run_id
    assert any("before: skipped (another was running); run" in line for line in why(opened.app, "a").words)
    assert do(opened, HOUR_ - 5 * HOUR, HOUR_).missed == ()


def test_cancelled_backfills_are_skipped_in_the_ledger(opened: Opened) -> None:
    opened.job("a", JOB)
    do(opened, HOUR_ - 3 * HOUR, HOUR_)
    assert len(cancel_job(opened.app, "a", "too many")) == 3
    assert {row.outcome for row in ledger(opened)} == {Outcome.SKIPPED}
    assert do(opened, HOUR_ - 3 * HOUR, HOUR_).to_run == 3


def test_more_than_the_limit_says_how_many_and_how_to_go_on(opened: Opened) -> None:
    opened.job("a", JOB)
    with pytest.raises(RotaError, match="24 moments did not run, more than the limit of 10") as error:
        plan_backfill(opened.app, "a", HOUR_ - DAY, HOUR_, limit=10)
    assert error.value.hint is not None
    assert "--limit 24" in error.value.hint
    assert "--to 2026-11-17T21:00:00+00:00" in error.value.hint
    assert do(opened, HOUR_ - DAY, HOUR_ - DAY + 10 * HOUR, limit=10).to_run == 10


def test_the_limit_is_for_what_is_to_run(opened: Opened) -> None:
    opened.job("a", JOB)
    do(opened, HOUR_ - DAY, HOUR_ - 3 * HOUR)
    assert do(opened, HOUR_ - DAY, HOUR_, limit=3).to_run == 3


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (NOW - HOUR, NOW + 1, "is still to come"),
        (NOW - HOUR, NOW - HOUR, "there is nothing between"),
        (NOW - 500 * DAY, NOW - 499 * DAY, "the ledger goes back 400 days"),
    ],
)
def test_a_span_that_is_not_one_of_the_past_is_refused(
    opened: Opened, start: Micros, end: Micros, words: str
) -> None:
    opened.job("a", JOB)
    with pytest.raises(RotaError, match=words):
        plan_backfill(opened.app, "a", start, end)


def test_a_span_of_very_many_moments_is_refused_at_once(opened: Opened) -> None:
    opened.job("a", "schedule: every 10s\nsteps: [{run: echo}]\n")
    with pytest.raises(RotaError, match=f"more than {MOST} moments"):
        plan_backfill(opened.app, "a", NOW - 300 * DAY, NOW, limit=10**9)


def _pause(opened: Opened) -> None:
    pause_job(opened.app, "a")


def _disable(opened: Opened) -> None:
    opened.job("a", "enabled: false\n" + JOB)


def _remove(opened: Opened) -> None:
    from rota.app.sync import sync

    (opened.root / ".rota/jobs/a.yaml").unlink()
    sync(opened.app)


def _unschedule(opened: Opened) -> None:
    opened.job("a", "steps: [{run: echo}]\n")


@pytest.mark.parametrize(
    ("change", "error", "words", "hint"),
    [
        (_pause, ConflictError, "is paused", "rota resume a"),
        (_disable, ConflictError, "is disabled", "rota edit a"),
        (_remove, NotFoundError, "was removed", "rota list"),
        (_unschedule, RotaError, "no time trigger", "rota run a"),
    ],
)
def test_a_job_that_starts_nothing_by_itself_is_refused(
    opened: Opened, change: Callable[[Opened], None], error: type[RotaError], words: str, hint: str
) -> None:
    opened.job("a", JOB)
    change(opened)
    with pytest.raises(error, match=words) as raised:
        plan_backfill(opened.app, "a", NOW - HOUR, NOW)
    assert hint in (raised.value.hint or "")


def test_what_would_not_have_run_then_is_said(opened: Opened) -> None:
    opened.job("a", 'if: "now.hour == 10"\n' + JOB)
    planned = plan_backfill(opened.app, "a", HOUR_ - 2 * HOUR, HOUR_)
    assert [one.not_run for one in planned.missed] == ["`if: now.hour == 10` was false", None]
    assert planned.to_run == 1
