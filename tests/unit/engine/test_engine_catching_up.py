"""The machine slept, the daemon was down, a file was edited meanwhile: what runs, what is only recorded."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.world import World

from rota.engine.definitions import schedule_of
from rota.engine.queueing import BEHIND
from rota.model.config import Limits
from rota.model.instants import DAY, HOUR, MINUTE, SECOND, Micros, to_micros
from rota.model.ledger import Occurrence, Outcome
from rota.model.run import RunState
from rota.planning.due import MAX_SPREAD, SPREAD_STEP, next_due

EVERY = "schedule: every 10m\nsteps: [{id: a, act: hello}]\n"
ONCE = 'schedule: "at 2026-11-20T09:00"\nsteps: [{id: a, act: hello}]\n'


def wake(world: World) -> None:
    """One pass of the daemon's scheduler."""
    asyncio.run(world.engine.scheduler.run_once(spread=True))


def named(number: int, more: str = "") -> str:
    return f"id: j{number:03}\n{more}{EVERY}"


# Spreading


def test_what_a_wake_finds_late_starts_one_after_the_other_behind_what_is_due_now(world: World) -> None:
    for number in range(5):
        world.job(named(number, "priority: 1000\n"), f"j{number:03}")
    world.clock.advance(1800)
    world.job("id: prompt\npriority: -1000\nschedule: every 1s\nsteps: [{id: p, act: now}]\n", "prompt")
    world.clock.advance(2 * MINUTE // SECOND)
    wake(world)
    now = world.clock.now()
    late = [world.run(f"j{number:03}") for number in range(5)]
    waits = sorted((run.not_before or now) - now for run in late)
    assert [round(wait / SPREAD_STEP, 3) for wait in waits] == [0, 1, 2, 3, 4]
    assert sorted(run.state.value for run in late) == ["queued"] + ["waiting"] * 4
    waiting = [run for run in late if run.state is RunState.WAITING]
    assert {(run.reason.code, run.reason.text) for run in waiting} == {("spread", "spread: catching up")}
    assert all(run.priority < world.run("prompt").priority for run in late)
    world.settings(limits=Limits(runs=1))
    asyncio.run(world.pass_())
    assert [began.step for began in world.began] == ["p"]
    world.settings(limits=Limits())
    world.clock.advance(2)
    asyncio.run(world.settle())
    assert [world.state(f"j{number:03}") for number in range(5)] == [RunState.SUCCEEDED] * 5


def test_the_daemon_spreads_what_it_finds_when_it_wakes(world: World) -> None:
    for number in range(3):
        world.job(named(number), f"j{number:03}")
    world.clock.advance(1000)
    woke = world.clock.now()

    async def live() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(world.engine.serve(stop))
        jobs = [f"j{number:03}" for number in range(3)]
        await world.until(lambda: all(world.runs(job) and world.run(job).final for job in jobs))
        stop.set()
        await serving

    asyncio.run(live())
    starts = sorted((world.runs(f"j{number:03}")[-1].started_at or 0) - woke for number in range(3))
    assert [start >= place * SPREAD_STEP for place, start in enumerate(starts)] == [True] * 3
    assert starts[-1] < 3 * SECOND


def test_nobody_waits_longer_than_a_minute(world: World) -> None:
    for number in range(3):
        world.job(named(number, "catch_up: all\n"), f"j{number:03}")
    world.clock.advance(100 * 600)
    wake(world)
    now = world.clock.now()
    starts = [(run.not_before or now) - now for n in range(3) for run in world.runs(f"j{n:03}")]
    assert len(starts) == 300
    assert [round(start / SECOND) for start in sorted(starts)[240:]] == [MAX_SPREAD // SECOND] * 60


def test_what_is_on_time_and_what_a_tick_finds_does_not_wait(world: World) -> None:
    for number in range(3):
        world.job(named(number), f"j{number:03}")
    world.clock.advance(659)
    wake(world)
    assert {world.state(f"j{number:03}") for number in range(3)} == {RunState.QUEUED}
    assert {world.run(f"j{number:03}").priority for number in range(3)} == {0}
    asyncio.run(world.settle())
    world.clock.advance(DAY // SECOND + 60)
    asyncio.run(world.engine.run_dry(schedule=True))
    assert {world.state(f"j{number:03}") for number in range(3)} == {RunState.SUCCEEDED}
    assert {world.run(f"j{number:03}").priority for number in range(3)} == {-BEHIND}


def test_what_does_not_run_takes_no_place_in_the_row(world: World) -> None:
    world.job(named(0, "if: 'false'\n"), "j000")
    world.job(named(1, "catch_up: none\n"), "j001")
    world.job(named(2), "j002")
    world.clock.advance(1000)
    wake(world)
    assert world.state("j002") is RunState.QUEUED


def test_a_window_is_asked_about_the_moment_when_the_run_would_start(world: World) -> None:
    for number in range(2):
        # The clock shows 11:06:40, the window closes at the end of the minute in which the pass is.
        world.job(named(number, "window: 11:00-11:29\ntimezone: UTC\n"), f"j{number:03}")
    world.clock.advance(22 * 60 + 19.9)  # 11:28:59.9
    wake(world)
    assert [world.state(f"j{n:03}").value for n in range(2)] == ["queued", "waiting"]
    assert world.run("j001").reason.code == "window"


def test_all_are_made_up_for_in_the_order_in_which_they_were_due(world: World) -> None:
    world.job("catch_up: all\n" + EVERY)
    world.clock.advance(2 * 3600 + 5)
    wake(world)
    for _ in range(12):
        asyncio.run(world.settle())
        world.clock.advance(1)
    due = [began.ctx.run.due_at for began in world.began]
    assert len(due) == 12
    assert due == sorted(due, key=lambda moment: moment or 0)


def test_all_is_a_hundred_and_a_row_that_says_how_many_were_left_out(world: World) -> None:
    world.job("catch_up: all\n" + EVERY)
    world.clock.advance(150 * 600 + 5)
    wake(world)
    assert len(world.runs()) == 100
    left_out = world.ledger()[0]
    assert (left_out.outcome, left_out.reason.code, left_out.count) == (Outcome.MISSED, "too_many", 50)


# How long it was down


@pytest.mark.parametrize(
    ("down", "none", "latest"),
    [
        (1, ("ran", "on_time"), ("ran", "on_time")),
        (59, ("ran", "on_time"), ("ran", "on_time")),
        (5 * MINUTE // SECOND, ("missed", "no_catch_up"), ("ran", "caught_up")),
        (DAY // SECOND, ("missed", "no_catch_up"), ("ran", "caught_up")),
        (365 * DAY // SECOND, ("missed", "no_catch_up"), ("ran", "caught_up")),
    ],
)
def test_down_when_it_was_due(
    world: World, down: int, none: tuple[str, str], latest: tuple[str, str]
) -> None:
    world.job(f"id: none\ncatch_up: none\n{ONCE}", "none")
    world.job(f"id: latest\n{ONCE}", "latest")
    due = world.trigger("none").next_due
    assert due is not None
    world.at(due - SECOND)
    asyncio.run(world.kill())
    world.at(due + down * SECOND)
    asyncio.run(world.settle())
    assert world.outcomes("none") == [none]
    assert world.outcomes("latest") == [latest]


# One-shots


def go_past(world: World) -> None:
    world.clock.advance(2 * DAY // SECOND)
    asyncio.run(world.settle())


def test_a_one_shot_is_consumed_once_whatever_becomes_of_its_file(world: World) -> None:
    world.job(ONCE)
    go_past(world)
    world.job(ONCE.replace("hello", "goodbye"))
    asyncio.run(world.settle())
    world.remove()
    asyncio.run(world.settle())
    world.job(ONCE)
    world.pause()
    world.resume()
    go_past(world)
    assert world.outcomes() == [("ran", "caught_up")]
    assert len(world.runs()) == 1


def test_a_one_shot_that_was_done_is_not_due_again_when_the_zone_changes(world: World) -> None:
    world.job(ONCE)
    due = world.trigger().next_due
    assert due is not None
    world.at(due)
    asyncio.run(world.settle())
    world.settings(timezone="America/New_York")
    world.job(ONCE)
    assert world.trigger().next_due is None
    world.clock.advance(DAY // SECOND)
    asyncio.run(world.settle())
    assert world.outcomes() == [("ran", "on_time")]


def test_a_one_shot_that_was_never_due_moves_with_the_zone(world: World) -> None:
    world.at(to_micros(datetime(2026, 11, 20, 12, tzinfo=UTC)))
    world.job(ONCE)
    assert world.trigger().next_due is None, "it is over in UTC"
    world.settings(timezone="America/New_York")
    world.job(ONCE)
    go_past(world)
    assert len(world.runs()) == 1


def test_a_one_shot_that_was_due_while_paused_never_runs(world: World) -> None:
    world.job("catch_up: all\n" + ONCE)
    world.pause()
    go_past(world)
    world.resume()
    go_past(world)
    assert world.runs() == []
    assert world.outcomes() == [("skipped", "paused")]


def test_a_one_shot_killed_between_its_row_and_its_run_runs_once(world: World) -> None:
    world.job(ONCE)
    world.clock.advance(2 * DAY // SECOND)

    async def story() -> None:
        await world.engine.scheduler.run_once(spread=True)
        await world.kill()
        world.job(ONCE)
        await world.settle()
        await world.kill()
        await world.settle()

    asyncio.run(story())
    assert [run.state for run in world.runs()] == [RunState.SUCCEEDED]
    assert len(world.ledger()) == 1


# Edits


def test_a_schedule_that_is_edited_while_its_job_is_paused_says_that_it_was_paused(world: World) -> None:
    world.job(EVERY)
    world.pause()
    world.clock.advance(1805)
    world.job(EVERY.replace("10m", "1h"))
    world.clock.advance(3600)
    world.resume()
    assert [(row.reason.code, row.count) for row in world.ledger()] == [("paused", 3), ("paused", 1)]
    assert world.runs() == []


def test_an_edit_of_a_job_that_is_due_runs_what_it_says_now(world: World) -> None:
    world.job(EVERY)
    world.clock.advance(605)
    world.job(EVERY.replace("hello", "goodbye"))
    asyncio.run(world.settle())
    assert [began.text for began in world.began] == ["goodbye"]
    assert world.outcomes() == [("ran", "on_time")]


def test_a_zone_that_changes_while_the_job_is_due_is_in_the_ledger(world: World) -> None:
    text = 'schedule: "0 12 * * *"\nsteps: [{id: a, act: hello}]\n'
    world.job(text)
    world.clock.advance(HOUR // SECOND)
    world.settings(timezone="America/New_York")
    world.job(text)
    asyncio.run(world.settle())
    assert world.outcomes() == [("skipped", "rescheduled")]
    world.clock.advance(5 * HOUR // SECOND)
    asyncio.run(world.settle())
    assert [row.due_at - world.ledger()[0].due_at for row in world.ledger()] == [0, 5 * HOUR]


# All of it, in any order


@pytest.fixture(scope="module")
def folders() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


def moments_of(world: World, row: Occurrence) -> list[Micros]:
    """Every moment that a row of the ledger stands for."""
    schedule = schedule_of(world.trigger())
    found, moment = [row.due_at], next_due(schedule, row.due_at)
    while row.until is not None and moment is not None and moment <= row.until:
        found.append(moment)
        moment = next_due(schedule, moment)
    return found


ACTIONS = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 2 * 3600)),
    st.tuples(st.sampled_from(["look", "pause", "resume", "edit", "kill", "disable", "enable"]), st.just(0)),
)


@given(st.sampled_from(["latest", "all", "none"]), st.lists(ACTIONS, min_size=3, max_size=10))
@settings(max_examples=20, deadline=None)
def test_every_moment_is_in_the_ledger_once_and_none_of_a_pause_has_run(
    folders: Path, mode: str, actions: list[tuple[str, int]]
) -> None:
    with TemporaryDirectory(dir=folders) as folder:
        world = World(Path(folder))
        try:
            asyncio.run(live(world, mode, actions))
        finally:
            world.close()


async def live(world: World, mode: str, actions: list[tuple[str, int]]) -> None:
    text, version, enabled, paused = f"catch_up: {mode}\n{EVERY}", 0, True, False
    world.job(text)
    start, resting = world.clock.now(), list[tuple[Micros, Micros]]()
    for action, seconds in [*actions, ("enable", 0), ("resume", 0), ("look", 0)]:
        before = world.clock.now()
        if action == "wait":
            world.clock.advance(seconds)
            if paused or not enabled:
                resting.append((before, world.clock.now()))
        elif action == "pause":
            world.pause()
            paused = True
        elif action == "resume":
            world.resume()
            paused = False
        elif action == "kill":
            await world.engine.scheduler.run_once(spread=True)
            await world.kill()
        elif action in {"edit", "disable", "enable"}:
            version += action == "edit"
            enabled = action == "enable" if action != "edit" else enabled
            world.job(f"enabled: {str(enabled).lower()}\n{text.replace('hello', f'hello {version}')}")
        else:
            await world.settle(passes=500)
    schedule = schedule_of(world.trigger())
    expected, moment = list[Micros](), next_due(schedule, start)
    while moment is not None and moment <= world.clock.now():
        expected.append(moment)
        moment = next_due(schedule, moment)
    recorded = [moment for row in world.ledger() for moment in moments_of(world, row)]
    assert sorted(recorded) == expected
    for row in world.ledger():
        if row.outcome is Outcome.RAN:
            assert not any(since < row.due_at <= until for since, until in resting)
    assert max(Counter(run.occurrence_key for run in world.runs()).values(), default=0) <= 1
