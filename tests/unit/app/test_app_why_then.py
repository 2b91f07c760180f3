"""`rota why --at`: what was due at a moment, or why nothing was."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.opened import Opened

from rota.app.commands import pause_job, resume_job
from rota.app.jobedit import remove_job_file
from rota.app.triggers import skip_ahead
from rota.app.why import WhyView, moment_of, why
from rota.model.instants import DAY, HOUR, to_micros
from rota.model.ledger import DaemonRecord, Occurrence, Outcome
from rota.model.run import Reason
from rota.ports.store import Tx

STEPS = "steps:\n  - run: echo\n"
DAILY = f"schedule: '0 8 * * 1-5'\n{STEPS}"
THURSDAY = to_micros(datetime(2026, 11, 19, 8, tzinfo=UTC))


def then(opened: Opened, text: str) -> WhyView:
    return why(opened.app, "a", at=moment_of(opened.app, "a", text))


def missed(opened: Opened, due_at: int) -> None:
    occurrence = Occurrence(
        "a",
        "cron",
        str(due_at),
        due_at,
        due_at + HOUR,
        Outcome.MISSED,
        Reason("superseded", "a later one was due too"),
    )

    def add(tx: Tx) -> None:
        tx.ledger.add(occurrence)
        (trigger,) = tx.triggers.of("a")
        tx.triggers.advance(trigger, since=due_at + HOUR, next_due=due_at + DAY)

    opened.app.store.write_now(add)


def lived(opened: Opened, *lives: tuple[int, int]) -> None:
    for number, (start, end) in enumerate(lives):
        record = DaemonRecord(f"d{number}", 1, "here", start, end, end)
        opened.app.store.write_now(lambda tx, record=record: tx.daemons.put(record))  # type: ignore[misc]


def test_what_was_due_then_and_the_daemon_that_was_down(opened: Opened) -> None:
    opened.job("a", DAILY)
    opened.clock.set(THURSDAY + 2 * HOUR)
    lived(opened, (THURSDAY - DAY, THURSDAY - HOUR), (THURSDAY + HOUR, THURSDAY + 2 * HOUR))
    missed(opened, THURSDAY)
    view = then(opened, "08:00")
    assert view.words[0] == "Thu 19 Nov 2026 08:00 UTC  missed: a later one was due too"
    assert "The daemon was down from Thu 19 Nov 2026 07:00 UTC to Thu 19 Nov 2026 09:00 UTC." in view.words
    assert [note.code for note in view.notes] == ["daemon_down", "no_daemon", "next"]
    assert any("The daemon was down" in line for line in why(opened.app, "a").words), "without --at as well"


def test_a_moment_that_the_schedule_does_not_name(opened: Opened) -> None:
    opened.job("a", DAILY)
    opened.clock.set(THURSDAY + 3 * HOUR)
    missed(opened, THURSDAY)
    view = then(opened, "09:30")
    assert view.words[0] == "Nothing was due Thu 19 Nov 2026 09:30 UTC."
    assert view.words[1] == (
        "Its schedule `0 8 * * 1-5` (Mondays to Fridays at 08:00) does not name that moment: "
        "before it Thu 19 Nov 2026 08:00 UTC, after it Fri 20 Nov 2026 08:00 UTC."
    )
    assert view.words[2:4] == ["The nearest:", "Thu 19 Nov 2026 08:00 UTC  missed: a later one was due too"]


def test_before_the_job_was_made_and_after_it_was_removed(opened: Opened) -> None:
    opened.job("a", DAILY)
    assert (
        "The job did not exist yet: it was made Wed 18 Nov 2026 11:06:40 UTC." in then(opened, "08:00").words
    )
    opened.clock.advance(3600)
    remove_job_file(opened.app, "a")
    opened.clock.advance(3600)
    assert "The job had been removed." in then(opened, "13:00").words
    assert "The job has been removed since, and its schedule with it." in then(opened, "11:30").words


def test_a_pause(opened: Opened) -> None:
    opened.job("a", DAILY)
    pause_job(opened.app, "a")
    opened.clock.set(THURSDAY + HOUR)
    during = then(opened, "08:00").words
    assert "It was due Thu 19 Nov 2026 08:00 UTC, and nobody has looked since." in during
    assert "It was paused then: what is due meanwhile is recorded when it is resumed." in during
    resume_job(opened.app, "a")
    assert then(opened, "08:00").words[0] == "Thu 19 Nov 2026 08:00 UTC  skipped: the job was paused"


def test_a_moment_that_is_to_come(opened: Opened) -> None:
    opened.job("a", DAILY)
    assert then(opened, "2026-11-20T08:00").words[0] == "It is still to come: due in 1 day, Fri 08:00 UTC."
    assert then(opened, "2026-11-20T09:00").words[0] == "Nothing will be due Fri 20 Nov 2026 09:00 UTC."


def test_a_daemon_that_was_down_and_nothing_was_due(opened: Opened) -> None:
    opened.job("a", DAILY)
    now = opened.clock.now()
    lived(opened, (now - DAY, now - HOUR))
    opened.clock.advance(3600)
    assert "The daemon is down since Wed 18 Nov 2026 10:06:40 UTC." in then(opened, "11:30").words


def test_a_moment_that_the_ledger_does_not_know(opened: Opened) -> None:
    """A schedule that was another one then, or rows that are too old."""
    opened.job("a", DAILY)
    opened.clock.set(THURSDAY + DAY)
    skip = Reason("rescheduled", "x")

    def forget(tx: Tx) -> None:
        (trigger,) = tx.triggers.of("a")
        skip_ahead(tx, trigger, opened.clock.now(), skip)
        tx.ledger.prune("a", THURSDAY + 30 * DAY, 10)

    opened.app.store.write_now(forget)
    assert "the ledger has no word of it." in then(opened, "2026-11-19T08:00").words[0]
    opened.clock.advance(60)
    opened.job("a", f"description: changed\n{DAILY}")
    assert "but the job was changed Fri 20 Nov 2026 08:01 UTC." in then(opened, "2026-11-19T08:00").words[0]
    opened.clock.set(THURSDAY + 401 * DAY)
    opened.app.store.write_now(forget)
    said = then(opened, "2026-11-19T08:00").words
    assert said[1] == "The ledger goes back 400 days (`keep_ledger_days`)."


def test_a_minute_is_all_of_it_and_a_second_just_that(opened: Opened) -> None:
    opened.job("a", DAILY)
    opened.clock.set(THURSDAY + 2 * HOUR)
    for seconds in (0, 17, 59, 60):
        missed(opened, THURSDAY + seconds * 1_000_000)
    assert [o.due_at - THURSDAY for o in then(opened, "08:00").occurrences] == [59_000_000, 17_000_000, 0]
    assert [o.due_at - THURSDAY for o in then(opened, "2026-11-19T08:00:17").occurrences] == [17_000_000]
    assert then(opened, "2026-11-19T08:00:20").words[0].startswith("Nothing was due")
