"""What users of other schedulers ran into, one test each; docs/pitfalls.md has the list, with those of other files.

The comment names the public report that a test answers.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tests.support.world import World

from rota.engine.retention import Retention
from rota.model.instants import DAY, HOUR, MINUTE, SECOND, from_micros, to_micros
from rota.model.run import RunState
from rota.ports.steps import Done, StepContext, StepResult

ACT = "steps: [{id: a, act: hello}]\n"
LONDON = ZoneInfo("Europe/London")


def pass_days(world: World, days: float, step: float = 600.0, *, restart: bool = False) -> None:
    """Live through days, looking every `step` seconds."""
    for _ in range(int(days * 86400 / step)):
        world.clock.advance(step)
        if restart:
            world.engine = world.new_engine()
        asyncio.run(world.pass_())


def test_a_run_longer_than_the_time_between_two_looks_is_started_once(world: World) -> None:
    # nanoclaw#138: a job that took longer than the poll interval was started again
    world.job(f"schedule: every 1h\n{ACT}")
    let_go = asyncio.Event()

    async def slow(_ctx: StepContext) -> StepResult:
        await let_go.wait()
        return Done()

    async def story() -> None:
        world.on("a", slow)
        world.clock.advance(3600)
        for _ in range(10):
            await world.engine.scheduler.run_once()
            await world.engine.dispatcher.run_once()
            world.clock.advance(60)
        await world.until(lambda: world.began)
        let_go.set()
        await world.idle()

    asyncio.run(story())
    assert len(world.began) == len(world.runs()) == 1


def test_a_daily_job_runs_once_a_day_for_a_month_with_two_processes_looking(world: World) -> None:
    # claude-code#82517: every job fired twice a day for 30 days
    world.job(f'schedule: "30 9 * * *"\ntimezone: Europe/London\n{ACT}')
    engines = [world.engine, world.new_engine()]

    async def look() -> None:
        await asyncio.gather(*(engine.scheduler.run_once() for engine in engines))
        for engine in engines:
            await engine.dispatcher.run_once()
        await world.until(lambda: not any(engine.work.active for engine in engines))

    for _ in range(30 * 4):
        world.clock.advance(6 * 3600)
        asyncio.run(look())
    days = [from_micros(run.due_at or 0).astimezone(LONDON).date() for run in world.runs()]
    assert len(days) == len(set(days)) == len(world.began) == 30


def test_a_run_by_hand_moves_and_swallows_no_other(world: World) -> None:
    # openclaw#127694: run-now moved or swallowed other slots
    world.job(f"schedule: every 1h\n{ACT}")
    due = world.trigger().next_due
    assert due is not None
    world.clock.advance(1800)
    world.start()
    asyncio.run(world.pass_())
    assert world.trigger().next_due == due
    world.at(due)
    asyncio.run(world.pass_())
    assert [run.due_at for run in world.runs() if run.trigger_id != "manual"] == [due]
    assert world.trigger().next_due == due + HOUR
    assert len(world.began) == 2


def test_a_slow_job_delays_no_other(world: World) -> None:
    # openclaw#119083: one slow job delayed all others by 9 h 40 m
    world.job("steps: [{id: slow, act: slow}]\n", "slow")
    world.job(f"schedule: every 10m\n{ACT}", "quick")

    async def for_hours(_ctx: StepContext) -> StepResult:
        await asyncio.Event().wait()
        return Done()

    async def story() -> None:
        world.on("slow", for_hours)
        world.start("slow")
        for _ in range(6):
            world.clock.advance(600)
            await world.engine.scheduler.run_once()
            await world.engine.dispatcher.run_once()
            await world.until(lambda: world.engine.work.active == {world.run("slow").id})
        await world.engine.work.drain(0.0)

    asyncio.run(story())
    late = [(run.started_at or 0) - (run.due_at or 0) for run in world.runs("quick")]
    assert len(late) == 6
    assert max(late) <= 10 * SECOND


def test_every_13_hours_is_13_hours(world: World) -> None:
    # n8n#21512: "every 13 hours" ran by 24-hour arithmetic (0:00, 13:00, 0:00 ...)
    world.job(f"schedule: every 13h\n{ACT}")
    pass_days(world, 6, step=3600.0)
    due = sorted(run.due_at or 0 for run in world.runs())
    assert len(due) == 11
    assert {later - earlier for earlier, later in pairwise(due)} == {13 * HOUR}


def test_a_weekly_interval_survives_daily_restarts(world: World) -> None:
    # river#791: a weekly interval began anew at every daily restart, and so never came
    text = f"schedule: every 1w\n{ACT}"
    world.job(text)
    begun = world.clock.now()
    for _ in range(22):
        world.clock.advance(86400)
        world.engine = world.new_engine()
        world.job(text)  # every start reads the job files again
        asyncio.run(world.pass_())
    assert [row.due_at - begun for row in world.ledger()] == [7 * DAY, 14 * DAY, 21 * DAY]


def test_an_edited_schedule_is_in_force_and_the_old_one_is_gone(world: World) -> None:
    # n8n#23711: editing a schedule kept the old recurrence
    world.job(f'schedule: "0 8 * * *"\n{ACT}')
    world.job(f'schedule: "0 21 * * *"\n{ACT}')
    pass_days(world, 3, step=1800.0)
    assert {from_micros(row.due_at).hour for row in world.ledger()} == {21}
    assert len(world.ledger()) == 3


def test_a_look_that_comes_late_drops_no_run(world: World) -> None:
    # apscheduler#292: a misfire tolerance of 1 s dropped the runs of a busy scheduler
    world.job(f"schedule: every 10m\ncatch_up: none\n{ACT}")
    for late in (1, 5, 30, 59):
        due = world.trigger().next_due
        assert due is not None
        world.at(due + late * SECOND)
        asyncio.run(world.pass_())
    assert {outcome for outcome, _ in world.outcomes()} == {"ran"}
    assert len(world.began) == 4


def test_nothing_is_silently_not_run_after_a_restart(world: World) -> None:
    # openclaw#33092, #34432: jobs silently did not run any more after a restart
    world.job(f'schedule: "0 9 * * *"\ntimezone: Europe/London\n{ACT}', "daily")
    world.job(f"schedule: every 20m\n{ACT}", "often")
    nine = datetime(2026, 11, 19, 9, tzinfo=LONDON)
    world.at(to_micros(nine) - 10 * MINUTE)
    asyncio.run(world.pass_())
    asyncio.run(world.stop())
    pass_days(world, 1, restart=True)
    assert world.trigger("daily").next_due == to_micros(nine + timedelta(days=1))
    assert [run.due_at for run in world.runs("daily")] == [to_micros(nine)]
    assert sum(row.count for row in world.ledger("often")) >= 72


def test_running_is_not_a_flag_that_a_dead_process_leaves_behind(world: World) -> None:
    # openclaw#18120, kestra#8459: "running" was a stored flag, and never cleared
    world.job("schedule: every 10m\nsteps: [{id: a, act: hello, on_interrupt: fail}]\n")

    async def story() -> None:
        world.on("a", lambda _ctx: asyncio.sleep(3600, Done()))
        world.clock.advance(600)
        await world.engine.scheduler.run_once()
        await world.engine.dispatcher.run_once()
        await world.until(lambda: world.began)
        await world.kill()
        world.behaviours.clear()
        await world.engine.recovery.run_once()
        await world.settle()
        world.clock.advance(600)
        await world.pass_()

    asyncio.run(story())
    assert [run.state for run in world.runs()] == [RunState.SUCCEEDED, RunState.FAILED]
    assert world.outcomes() == [("ran", "on_time"), ("ran", "on_time")]


def test_after_a_timeout_the_next_occurrence_fires(world: World) -> None:
    # openclaw#18120: a job that hung once never ran again
    world.job("schedule: every 10m\nsteps: [{id: a, act: hello, timeout: 50ms}]\n")

    async def story() -> None:
        world.on("a", lambda _ctx: asyncio.sleep(3600, Done()))
        world.clock.advance(600)
        await world.pass_()
        world.behaviours.clear()
        world.clock.advance(600)
        await world.pass_()

    asyncio.run(story())
    assert [run.state for run in world.runs()] == [RunState.SUCCEEDED, RunState.FAILED]


def test_a_job_missed_during_a_sleep_is_made_up_for_once_however_long_it_was(world: World) -> None:
    # openclaw#18892, systemd#43464: after a laptop's sleep everything that was missed ran at once
    for number in range(5):
        world.job(f"schedule: every 1m\n{ACT}", f"j{number}")
    world.clock.advance(8 * 3600)
    asyncio.run(world.pass_())
    assert [len(world.runs(f"j{number}")) for number in range(5)] == [1] * 5
    for number in range(5):
        rows = world.ledger(f"j{number}")
        assert sum(row.count for row in rows) == 480
        assert [row.outcome.value for row in rows if row.run_id] == ["ran"]


def test_cleaning_up_leaves_every_job_and_what_is_under_way(world: World) -> None:
    # hermes-agent PR#34840: a cleanup deleted the job store
    world.job(f"schedule: every 1h\n{ACT}")
    world.job(f"{ACT}", "seldom")
    world.start("seldom")
    pass_days(world, 1, step=3600.0)
    waiting = world.start("seldom")
    files = world.root / ".rota" / "jobs" / "j.yaml"
    files.write_text(ACT)
    triggers = world.real.read(lambda tx: tx.triggers.all())
    world.clock.advance(20 * 365 * 86400)
    asyncio.run(
        Retention(world.store, world.clock, workspace=world.root, config=lambda: world.config).run_once()
    )
    assert world.runs() == []
    assert [run.id for run in world.runs("seldom")] == [waiting.id], "what is queued stays"
    assert [row.run_id for row in world.ledger("seldom")] == [waiting.id]
    assert [job.id for job in world.real.read(lambda tx: tx.jobs.all())] == ["j", "seldom"]
    assert world.real.read(lambda tx: tx.triggers.all()) == triggers
    assert files.read_text() == ACT
    world.clock.advance(3 * MINUTE / SECOND)
    asyncio.run(world.pass_())
    assert world.run("j").state is RunState.SUCCEEDED
