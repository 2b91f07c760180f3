"""What is due becomes a run and a row in the ledger, once; whatever else happens at the time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.support.world import World

from rota.engine.queueing import Call, queue_all
from rota.model.errors import StoreError
from rota.model.instants import DAY, HOUR, MINUTE, SECOND, Micros, from_micros
from rota.model.ledger import DaemonRecord, Outcome
from rota.model.run import RunState
from rota.ports.store import Tx

EVERY = "schedule: every 10m\nsteps: [{id: a, act: hello}]\n"


def test_a_due_occurrence_is_a_row_a_run_and_a_later_due_time(world: World) -> None:
    world.job(EVERY)
    first = world.trigger().next_due
    assert first == world.clock.now() + 600 * SECOND
    asyncio.run(world.engine.scheduler.run_once())
    assert world.ledger() == []
    world.clock.advance(600)
    assert asyncio.run(world.engine.scheduler.run_once()) == first + 600 * SECOND
    (row,), (run,) = world.ledger(), world.runs()
    assert (row.due_at, row.outcome, row.reason.code, row.run_id) == (first, Outcome.RAN, "on_time", run.id)
    assert (run.due_at, run.state, run.occurrence_key) == (first, RunState.QUEUED, row.key)


def test_two_schedulers_on_one_state_start_one_run(world: World) -> None:
    world.job(EVERY)
    other = world.engine
    world.engine = world.new_engine()
    world.clock.advance(600)

    async def both() -> None:
        await asyncio.gather(other.scheduler.run_once(), world.engine.scheduler.run_once())

    asyncio.run(both())
    assert len(world.runs()) == len(world.ledger()) == 1


def test_a_crash_between_decision_and_commit_loses_nothing(world: World) -> None:
    world.job(EVERY)
    world.clock.advance(600)
    world.store.faults = [StoreError("the disk is full")]
    with pytest.raises(StoreError):
        asyncio.run(world.engine.scheduler.run_once())
    assert world.ledger() == [] == world.runs()
    asyncio.run(world.engine.scheduler.run_once())
    assert world.outcomes() == [("ran", "on_time")]


def test_a_clock_set_back_does_not_run_it_again(world: World) -> None:
    world.job('schedule: "0 12 * * *"\nsteps: [{id: a, act: hello}]\n')
    noon = world.trigger().next_due
    assert noon is not None
    world.at(noon)
    asyncio.run(world.pass_())
    for back in (noon - HOUR, noon - 1, noon, noon + SECOND):
        world.at(back)
        asyncio.run(world.pass_())
    assert world.outcomes() == [("ran", "on_time")]


def test_a_clock_set_back_while_the_state_cannot_be_written(world: World) -> None:
    for name in "ab":
        world.job(EVERY, name)
    world.clock.advance(600)
    asyncio.run(world.pass_())
    world.at(world.clock.now() - 5 * HOUR)
    world.store.faults = [StoreError("the disk is full")]
    with pytest.raises(StoreError):
        asyncio.run(world.engine.scheduler.run_once())
    asyncio.run(world.engine.scheduler.run_once())
    soonest = [world.trigger(name).next_due for name in "ab"]
    assert all(due is not None and due <= world.clock.now() + 600 * SECOND for due in soonest)


def test_a_clock_that_went_ahead_is_why_occurrences_are_late(world: World) -> None:
    world.job(EVERY)
    asyncio.run(world.pass_())
    world.at(world.clock.now() + HOUR)
    asyncio.run(world.pass_())
    assert all("the clock went 1 h ahead at once" in row.reason.text for row in world.ledger()[:-1])
    # Time that passes while the state cannot be written, or while nobody looks, is something else.
    world.clock.advance(1800)
    world.store.faults = [StoreError("the disk is full")]
    with pytest.raises(StoreError):
        asyncio.run(world.engine.scheduler.run_once())
    asyncio.run(world.pass_())
    assert world.ledger()[-2].reason.text.endswith(", since the disk is full")
    world.clock.advance(3600)
    asyncio.run(world.pass_())
    assert "the clock went" not in world.ledger()[-2].reason.text


def test_a_paused_job_never_fires_and_its_pause_is_one_row(world: World) -> None:
    world.job(EVERY)
    world.pause()
    world.clock.advance(3 * 3600 + 5)
    asyncio.run(world.pass_())
    assert world.runs() == []
    world.resume()
    asyncio.run(world.pass_())
    (row,) = world.ledger()
    assert (row.outcome, row.reason.code, row.count) == (Outcome.SKIPPED, "paused", 18)
    world.clock.advance(600)
    asyncio.run(world.pass_())
    assert len(world.runs()) == 1


def test_a_disabled_job_never_fires_not_even_in_catch_up(world: World) -> None:
    world.job(EVERY)
    world.job(f"enabled: false\ncatch_up: all\n{EVERY}")
    world.clock.advance(2 * 3600 + 5)
    asyncio.run(world.pass_())
    world.job(f"catch_up: all\n{EVERY}")
    asyncio.run(world.pass_())
    assert world.runs() == []
    (row,) = world.ledger()
    assert (row.outcome, row.reason.code, row.count) == (Outcome.SKIPPED, "disabled", 12)


def test_a_removed_job_never_fires_and_keeps_its_history(world: World) -> None:
    world.job(EVERY)
    world.clock.advance(605)
    asyncio.run(world.pass_())
    world.clock.advance(600)
    world.remove()
    asyncio.run(world.pass_())
    assert len(world.runs()) == 1
    assert world.outcomes() == [("ran", "on_time"), ("skipped", "removed")]


def test_a_run_that_was_queued_when_its_job_was_removed_is_skipped_in_the_ledger(world: World) -> None:
    world.job(EVERY)
    world.clock.advance(600)
    asyncio.run(world.engine.scheduler.run_once())
    world.remove()
    asyncio.run(world.pass_())
    assert world.state() is RunState.CANCELLED
    assert world.began == []
    assert world.outcomes() == [("skipped", "removed")]


def test_a_job_that_is_paused_while_its_firing_is_decided_does_not_fire(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.job(EVERY)
    world.clock.advance(600)
    decide = world.engine.scheduler._decide

    def slowly(*args: object) -> object:
        decided = decide(*args)  # type: ignore[arg-type] # as it was called
        world.pause()
        return decided

    monkeypatch.setattr(world.engine.scheduler, "_decide", slowly)
    asyncio.run(world.engine.scheduler.run_once())
    assert world.runs() == []


def test_a_false_condition_is_skipped_with_its_text(world: World) -> None:
    world.job('if: "now.hour == 3"\n' + EVERY)
    world.clock.advance(600)
    asyncio.run(world.pass_())
    (row,) = world.ledger()
    assert (row.outcome, row.reason.code) == (Outcome.SKIPPED, "condition")
    assert "now.hour == 3" in row.reason.text


def test_a_condition_that_raises_fails_the_run_and_says_why(world: World) -> None:
    job = "schedule: every 10m\nsteps: [{id: a, act: hello, continue_on_error: true}, {id: b, act: more}]\n"
    world.job('if: "payload.things.count > 1"\n' + job)
    world.clock.advance(600)
    asyncio.run(world.pass_())
    assert world.state() is RunState.FAILED
    assert "`if:` failed" in world.run().reason.text
    assert world.began == []


def test_an_overlapping_occurrence_is_skipped_and_names_the_other_run(world: World) -> None:
    world.job(EVERY)
    world.clock.advance(600)
    asyncio.run(world.engine.scheduler.run_once())
    first = world.run()
    world.clock.advance(600)
    asyncio.run(world.engine.scheduler.run_once())
    assert world.outcomes() == [("ran", "on_time"), ("skipped", "overlap")]
    assert first.id in world.ledger()[1].reason.text


def test_cancel_running_ends_what_is_queued_and_says_so_in_the_ledger(world: World) -> None:
    world.job("overlap: cancel-running\n" + EVERY)
    for _ in range(2):
        world.clock.advance(600)
        asyncio.run(world.engine.scheduler.run_once())
    asyncio.run(world.settle())
    assert [run.state for run in world.runs()] == [RunState.SUCCEEDED, RunState.CANCELLED]
    assert len(world.began) == 1
    assert world.outcomes() == [("skipped", "overlap"), ("ran", "on_time")]


def test_catch_up_all_runs_each_of_them_though_runs_may_not_overlap(world: World) -> None:
    world.job("catch_up: all\n" + EVERY)
    world.clock.advance(3605)
    asyncio.run(world.settle())
    assert [run.state.value for run in world.runs()] == ["succeeded"] * 6
    assert [b.step for b in world.began] == ["a"] * 6
    assert {row.outcome for row in world.ledger()} == {Outcome.RAN}


def test_a_schedule_that_became_unreadable_stops_its_job_alone_and_is_taken_up_when_mended(
    world: World,
) -> None:
    world.job(EVERY)
    world.job("id: good\n" + EVERY, "good")
    world.real.write_now(lambda tx: tx.triggers.put(replace(tx.triggers.of("j")[0], text="every nonsense")))
    world.clock.advance(600)
    asyncio.run(world.pass_())
    record = world.record()
    assert len(world.runs("good")) == 1
    assert record is not None
    assert record.status == "broken"
    assert "could not be computed" in (record.error or "")
    assert world.runs() == []
    world.clock.advance(1200)
    world.job(EVERY)
    asyncio.run(world.pass_())
    world.clock.advance(600)
    asyncio.run(world.pass_())
    assert len(world.runs()) == 1


def test_a_trigger_that_could_not_be_computed_goes_on_once_its_job_is_put_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.job(EVERY)
    world.clock.advance(600)
    with monkeypatch.context() as patch:
        patch.setattr("rota.engine.scheduler.plan", lambda *_: 1 / 0)
        asyncio.run(world.pass_())
    assert world.trigger().next_due is None
    world.clock.advance(1205)
    world.job(EVERY)
    (row,) = world.ledger()
    assert (row.reason.code, row.count) == ("broken", 3)
    world.clock.advance(600)
    asyncio.run(world.pass_())
    assert len(world.runs()) == 1


def test_an_occurrence_that_cannot_be_written_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.job(EVERY)
    world.job("id: good\n" + EVERY, "good")
    world.clock.advance(600)

    def picky(tx: Tx, calls: Sequence[Call], now: Micros) -> object:
        if any(call.job.id == "j" for call in calls):
            raise ValueError("no such thing")
        return queue_all(tx, calls, now)

    monkeypatch.setattr("rota.engine.scheduler.queue_all", picky)
    asyncio.run(world.engine.scheduler.run_once())
    assert len(world.runs("good")) == 1
    record = world.record()
    assert record is not None
    assert record.status == "broken"


def test_reboot_fires_once_in_a_daemons_life(world: World) -> None:
    world.job('schedule: "@reboot"\nsteps: [{id: a, act: hello}]\n')

    async def lives() -> None:
        for life in ("one", "one", "two"):
            await world.engine.scheduler.daemon_started(life)
            await world.settle()

    asyncio.run(lives())
    assert len(world.runs()) == 2
    assert {row.key for row in world.ledger()} == {"one", "two"}


def test_reboot_of_a_paused_job_does_not_fire_though_its_file_is_broken(world: World) -> None:
    world.job('schedule: "@reboot"\nsteps: [{id: a, act: hello}]\n')
    world.pause()
    world.real.write_now(lambda tx: tx.jobs.set_error("j", "a broken file", 1))
    asyncio.run(world.engine.scheduler.daemon_started("one"))
    assert world.runs() == []


def test_params_have_their_defaults(world: World) -> None:
    world.job(
        'params: {who: {default: Ada}}\nschedule: every 10m\nsteps: [{id: a, act: "{{ params.who }}"}]\n'
    )
    world.clock.advance(600)
    asyncio.run(world.pass_())
    assert world.began[0].text == "Ada"


def test_jitter_waits_in_the_state_and_then_runs(world: World) -> None:
    world.job("jitter: 5m\n" + EVERY)
    due = world.trigger().next_due
    assert due is not None
    world.clock.advance(600)
    asyncio.run(world.pass_())
    run = world.run()
    assert (run.state, run.reason.code) == (RunState.WAITING, "jitter")
    assert run.not_before is not None
    assert due < run.not_before < due + 5 * MINUTE
    world.at(run.not_before)
    asyncio.run(world.pass_())
    assert world.state() is RunState.SUCCEEDED


def test_a_clock_that_was_a_year_ahead_and_is_set_right_silences_nothing(world: World) -> None:
    world.job(EVERY)
    right = world.clock.now()
    world.at(right + 365 * DAY)
    asyncio.run(world.pass_())
    ran = len(world.runs())
    world.at(right + 601 * SECOND)
    asyncio.run(world.pass_())
    assert world.trigger().next_due == right + 1200 * SECOND
    world.at(right + 1200 * SECOND)
    asyncio.run(world.pass_())
    assert len(world.runs()) == ran + 1


def test_a_daemon_that_starts_before_the_last_one_was_seen_takes_the_clock_as_it_is(world: World) -> None:
    world.job(EVERY)
    right = world.clock.now()
    world.at(right + 365 * DAY)
    asyncio.run(world.pass_())
    life = DaemonRecord("d1", 1, "here", world.clock.now(), world.clock.now())
    world.real.write_now(lambda tx: tx.daemons.put(life))
    world.at(right)
    world.engine = world.new_engine()
    asyncio.run(world.pass_())
    assert world.trigger().next_due == right + 600 * SECOND


def test_outside_its_window_a_run_is_put_off_to_the_next_opening(world: World) -> None:
    world.job("window: 03:00-04:00\ntimezone: UTC\n" + EVERY)
    world.clock.advance(601)
    asyncio.run(world.pass_())
    run = world.run()
    assert (run.state, run.reason.code) == (RunState.WAITING, "window")
    assert run.not_before is not None
    assert from_micros(run.not_before).strftime("%H:%M") == "03:00"
    world.at(run.not_before)
    asyncio.run(world.pass_())
    assert world.state() is RunState.SUCCEEDED


def test_a_maintenance_window_can_skip_and_the_ledger_says_why(world: World) -> None:
    world.job("not_during: {times: 00:00-24:00, otherwise: skip}\n" + EVERY)
    world.clock.advance(601)
    asyncio.run(world.pass_())
    (row,) = world.ledger()
    assert (row.outcome.value, row.reason.code) == ("skipped", "window")
    assert row.reason.text == "not_during 00:00-24:00"


def test_a_schedule_that_is_edited_while_due_says_so(world: World) -> None:
    world.job(EVERY)
    world.clock.advance(1805)
    world.job(EVERY.replace("10m", "1h"))
    (row,) = world.ledger()
    assert (row.outcome, row.reason.code, row.count) == (Outcome.SKIPPED, "rescheduled", 3)
    due = world.trigger().next_due
    assert due is not None
    assert due > world.clock.now()


def test_a_trigger_that_is_removed_while_due_says_so(world: World) -> None:
    world.job(EVERY)
    world.clock.advance(605)
    world.job("steps: [{id: a, act: hello}]\n")
    assert world.outcomes() == [("skipped", "rescheduled")]


def test_another_definition_with_the_same_schedule_keeps_its_place_in_time(world: World) -> None:
    world.job(EVERY)
    due = world.trigger().next_due
    world.clock.advance(300)
    world.job(EVERY.replace("hello", "goodbye"))
    assert world.trigger().next_due == due


def test_a_change_of_the_zone_moves_the_due_time(world: World) -> None:
    text = 'schedule: "0 20 * * *"\nsteps: [{id: a, act: hello}]\n'
    world.job(text)
    utc = world.trigger().next_due
    world.settings(timezone="America/New_York")
    world.job(text)
    moved = world.trigger().next_due
    assert utc is not None
    assert moved == utc + 5 * HOUR


def test_down_for_a_year_is_caught_up_with_once_and_in_few_rows(world: World) -> None:
    world.job('schedule: "* * * * *"\nsteps: [{id: a, act: hello}]\n')
    world.clock.advance(365 * 86400)
    asyncio.run(world.settle())
    assert len(world.runs()) == 1
    assert len(world.ledger()) <= 101
    world.clock.advance(60)
    asyncio.run(world.settle())
    assert len(world.runs()) == 2


def test_fifty_jobs_due_in_one_second_all_start(world: World) -> None:
    for number in range(50):
        world.job(f"id: j{number}\n{EVERY}", f"j{number}")
    world.clock.advance(600)
    asyncio.run(world.engine.scheduler.run_once())
    assert sum(len(world.runs(f"j{number}")) for number in range(50)) == 50


def test_at_fires_once_and_then_nothing_is_due(world: World) -> None:
    world.job('schedule: "at 2026-11-20T09:00"\nsteps: [{id: a, act: hello}]\n')
    world.clock.advance(3 * DAY / SECOND)
    asyncio.run(world.settle())
    assert world.outcomes() == [("ran", "caught_up")]
    assert world.trigger().next_due is None
    world.job('schedule: "at 2026-11-20T09:00"\nsteps: [{id: a, act: bye}]\n')
    asyncio.run(world.settle())
    assert len(world.runs()) == 1
