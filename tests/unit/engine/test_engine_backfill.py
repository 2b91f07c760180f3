"""Backfilled runs beside those that are due now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from tests.support.clock import START
from tests.support.world import World

from rota.engine.backfill import call_for, make_up
from rota.engine.definitions import schedule_of
from rota.engine.environment import workspace_value
from rota.model.instants import HOUR, Micros
from rota.model.job import Job
from rota.model.run import Reason, Run, RunState
from rota.planning.backfill import gaps, moments
from rota.ports.steps import Done, StepContext, StepResult
from rota.ports.store import Tx

JOB = "schedule: every 1h\nsteps: [{id: a, act: '{{ occurrence.due_at }}'}]\n"
DUE = START - START % HOUR + HOUR  # the next moment of `every 1h`


def backfill(world: World, job: Job, start: Micros, end: Micros) -> list[Run]:
    now, record = world.clock.now(), world.record(job.id)
    assert record is not None

    def work(tx: Tx) -> list[Run]:
        triggers = [(t.trigger_id, schedule_of(t)) for t in tx.triggers.of(job.id)]
        found = gaps(moments(triggers, start, end, 100), tx.ledger.between(job.id, start, end))
        workspace = workspace_value(world.root, world.config)
        call = partial(call_for, tx, record=record, job=job, params={}, workspace=workspace, now=now)
        return make_up(tx, [call(gap) for gap in found], now)

    return world.real.write_now(work)


def texts(world: World) -> Sequence[str]:
    """What the steps began with, in that order."""
    return [began.text[11:16] for began in world.began]


def anchored(world: World, keys: str = "") -> Job:
    return world.job(keys + JOB.replace("every 1h", "'0 * * * *'"))


def test_moments_run_one_after_the_other_oldest_first_with_their_own_due_instant(world: World) -> None:
    job = anchored(world)
    assert len(backfill(world, job, DUE - 6 * HOUR, DUE - HOUR)) == 5
    at_once = []

    async def look(_ctx: StepContext) -> StepResult:
        at_once.append(len(world.engine.work.active))
        return Done()

    world.on("a", look)
    asyncio.run(world.settle())
    assert texts(world) == ["06:00", "07:00", "08:00", "09:00", "10:00"]
    assert at_once == [1] * 5
    assert world.outcomes() == [("ran", "backfilled")] * 5


def test_what_is_due_now_is_neither_skipped_for_backfilled_runs_nor_behind_them(world: World) -> None:
    job = anchored(world)
    backfill(world, job, DUE - 4 * HOUR, DUE - HOUR)
    leave = asyncio.Event()

    async def wait(_ctx: StepContext) -> StepResult:
        await leave.wait()
        return Done()

    world.on("a", wait)

    async def story() -> None:
        await world.engine.dispatcher.run_once()
        await world.until(lambda: world.began)
        world.clock.set(DUE + 10)
        await world.engine.scheduler.run_once()
        await world.engine.dispatcher.run_once()
        leave.set()
        await world.settle()

    asyncio.run(story())
    assert texts(world) == ["08:00", "12:00", "09:00", "10:00"]
    assert {run.state for run in world.runs()} == {RunState.SUCCEEDED}


def test_cancel_running_ends_no_backfilled_run(world: World) -> None:
    job = anchored(world, "overlap: cancel-running\n")
    backfill(world, job, DUE - 3 * HOUR, DUE - HOUR)
    world.clock.set(DUE + 10)
    asyncio.run(world.settle())
    assert texts(world) == ["12:00", "09:00", "10:00"]
    assert {run.state for run in world.runs()} == {RunState.SUCCEEDED}


def test_a_condition_is_judged_at_the_moment_that_it_was_for(world: World) -> None:
    job = anchored(world, "if: now.hour % 2 == 0\n")
    backfill(world, job, DUE - 4 * HOUR, DUE - HOUR)
    asyncio.run(world.settle())
    assert texts(world) == ["08:00", "10:00"]
    assert world.outcomes() == [("ran", "backfilled"), ("skipped", "condition"), ("ran", "backfilled")]


def test_a_window_that_skipped_then_skips_and_one_that_is_closed_today_puts_off(world: World) -> None:
    job = anchored(world, "window: {times: '00:00-11:00', otherwise: skip}\n")  # it is 11:06
    (run,) = backfill(world, job, DUE - 26 * HOUR, DUE - 23 * HOUR)
    assert world.outcomes() == [("ran", "backfilled"), ("skipped", "window"), ("skipped", "window")]
    assert (run.state, run.not_before) == (RunState.WAITING, DUE + 12 * HOUR)
    assert "put off to Thu 19 Nov 00:00" in run.reason.text


def test_a_backfilled_moment_that_is_cancelled_can_be_backfilled_again(world: World) -> None:
    job = anchored(world)
    (first,) = backfill(world, job, DUE - 2 * HOUR, DUE - HOUR)
    world.real.write_now(lambda tx: tx.runs.request_cancel(first.id, Reason("cancelled", "not now")))
    asyncio.run(world.settle())
    assert world.outcomes() == [("skipped", "cancelled")]
    (again,) = backfill(world, job, DUE - 2 * HOUR, DUE - HOUR)
    row = world.ledger()[0]
    assert (row.run_id, row.outcome.value) == (again.id, "ran")
    assert "before: skipped (its run was cancelled before it started" in row.reason.text
    assert backfill(world, job, DUE - 2 * HOUR, DUE - HOUR) == []
