"""A run that is due and finds a place is claimed in the transaction that queues it."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import PATIENCE, World

from rota.engine.work import Claimed
from rota.model.config import Limits
from rota.model.run import Run, RunState

EVERY = "schedule: every 10m\nsteps: [{id: a, act: hello}]\n"


@pytest.fixture(autouse=True)
def starter(world: World) -> None:
    world.engine.scheduler.starter = world.engine.dispatcher


def everything(world: World) -> list[Run]:
    return world.real.read(lambda tx: tx.runs.recent())


def look(world: World) -> None:
    async def story() -> None:
        await world.engine.scheduler.run_once()
        await world.idle()

    asyncio.run(story())


def test_it_runs_without_a_pass_of_the_dispatcher(world: World) -> None:
    world.job(EVERY, "plain")
    world.job("on: {cron: '*/10 * * * *'}\nsteps: [{act: a}, {act: '{{ now }}'}]\n", "more")
    world.clock.advance(600)
    look(world)
    assert (world.state("plain"), world.state("more")) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
    assert world.outcomes("plain") == [("ran", "on_time")]


def test_whoever_waits_for_a_place_comes_first(world: World) -> None:
    world.job(EVERY)
    world.job("on: manual\nsteps: [{act: hello}]\n", "earlier")
    world.start("earlier")
    world.clock.advance(600)
    look(world)
    assert world.state() is RunState.QUEUED
    asyncio.run(world.pass_())
    assert (world.state(), world.state("earlier")) == (RunState.SUCCEEDED, RunState.SUCCEEDED)


def test_no_more_start_than_there_are_places(world: World) -> None:
    world.settings(limits=Limits(runs=2))
    for number in range(5):
        world.job(EVERY, f"j{number}")
    world.clock.advance(600)
    look(world)
    states = [world.state(f"j{number}") for number in range(5)]
    assert sorted(states) == [RunState.QUEUED] * 3 + [RunState.SUCCEEDED] * 2


def test_nothing_starts_while_the_daemon_ends(world: World) -> None:
    world.job(EVERY)
    world.engine.dispatcher.accepting = False
    world.clock.advance(600)
    look(world)
    assert world.state() is RunState.QUEUED


def test_a_pass_between_the_claim_and_the_start_does_not_take_it_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.job(EVERY)
    world.clock.advance(600)
    dispatcher, start = world.engine.dispatcher, world.engine.dispatcher.start
    claims: list[Claimed] = []

    async def story() -> None:
        # The commit is done, and the scheduler is not awake yet.
        monkeypatch.setattr(dispatcher, "start", claims.append)
        await world.engine.scheduler.run_once()
        await dispatcher.run_once()
        assert world.state() is RunState.RUNNING
        start(claims[0])
        await world.idle()

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED
    assert len(world.began) == 1


def test_what_was_claimed_just_before_it_is_due_goes_back_when_rota_ends(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.job(EVERY)
    world.clock.advance(599.999)
    scheduler, dispatcher = world.engine.scheduler, world.engine.dispatcher

    async def story() -> None:
        due = asyncio.Event()
        monkeypatch.setattr(world.clock, "sleep", lambda *_args, **_more: due.wait())
        monkeypatch.setattr(scheduler, "ahead", 5_000)
        looking = asyncio.create_task(scheduler.run_once())
        await world.until(lambda: [run.state for run in world.runs()] == [RunState.RUNNING])
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await dispatcher.withdraw()

    asyncio.run(story())
    assert (world.state(), world.attempts("a")) == (RunState.QUEUED, [])
    monkeypatch.undo()
    world.clock.advance(1)
    asyncio.run(world.settle())
    assert (world.state(), len(world.attempts("a"))) == (RunState.SUCCEEDED, 1)


def test_a_moment_may_be_written_down_early_but_its_run_starts_when_it_is_due(world: World) -> None:
    world.job(EVERY)
    due = world.clock.now() + 600_000_000
    world.clock.set(due - 3_000)
    world.engine.scheduler.ahead = 2_000
    look(world)
    assert world.runs() == [], "it is not near yet"
    world.engine.scheduler.ahead = 5_000
    look(world)
    run = world.run()
    assert (run.state, run.due_at) == (RunState.SUCCEEDED, due)
    assert world.clock.now() >= due
    assert (world.attempts("a")[0].started_at, run.started_at) == (due, due)
    assert world.outcomes("j") == [("ran", "on_time")]


def test_the_more_is_due_at_an_instant_the_sooner_it_is_begun_with_but_nothing_starts_early(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rota.engine.scheduler.BATCH", 2)
    for number in range(5):
        world.job(EVERY, f"j{number}")
    due = world.clock.now() + 600_000_000
    world.engine.scheduler.ahead = 5_000
    assert world.engine.scheduler.wake_before(due) == due - 5_000 - 4 * 300
    world.clock.set(due - 6_000)

    async def story() -> None:
        instant = asyncio.Event()
        with monkeypatch.context() as patch:
            patch.setattr(world.clock, "sleep", lambda *_args, **_more: instant.wait())
            looking = asyncio.create_task(world.engine.scheduler.run_once())
            await world.until(lambda: len(everything(world)) == 5)  # all of them before their instant
            assert world.began == []
        world.clock.set(due)
        instant.set()
        await looking
        await world.idle()

    asyncio.run(story())
    assert {(run.state, run.due_at, run.started_at) for run in everything(world)} == {
        (RunState.SUCCEEDED, due, due)
    }
    assert len(world.began) == 5
    attempts = [attempt for run in everything(world) for attempt in world.attempts("a", run)]
    assert min(attempt.started_at for attempt in attempts) >= due


def test_a_run_that_ends_before_the_instant_is_in_nobodys_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its job is not decided on early, though others of the same instant are."""
    for number in range(5):
        world.job(EVERY, f"j{number}")
    due = world.clock.now() + 600_000_000
    world.engine.scheduler.ahead = 5_000
    world.start("j3")
    world.clock.set(due - 5_900)

    async def story() -> None:
        asleep, instant = asyncio.Event(), asyncio.Event()

        async def sleep(*_args: object, **_more: object) -> None:
            asleep.set()
            await instant.wait()

        with monkeypatch.context() as patch:
            patch.setattr(world.clock, "sleep", sleep)
            looking = asyncio.create_task(world.engine.scheduler.run_once())
            await asyncio.wait_for(asleep.wait(), PATIENCE)  # all of the others are written down
        assert len(everything(world)) == 5
        await world.engine.dispatcher.run_once()
        await world.until(lambda: world.state("j3") is RunState.SUCCEEDED)
        world.clock.set(due)
        instant.set()
        await looking
        await world.engine.dispatcher.run_once()
        await world.idle()

    asyncio.run(story())
    assert [row.outcome.value for row in world.ledger("j3")] == ["ran", "ran"]
    assert len([run for run in everything(world) if run.state is RunState.SUCCEEDED]) == 6


def test_what_finds_no_place_at_its_instant_waits_for_one(world: World) -> None:
    world.settings(limits=Limits(runs=2))
    for number in range(5):
        world.job(EVERY, f"j{number}")
    due = world.clock.now() + 600_000_000
    world.engine.scheduler.ahead = 5_000
    world.clock.set(due - 5_000)
    look(world)
    assert sorted(run.state for run in everything(world)) == [RunState.QUEUED] * 3 + [RunState.SUCCEEDED] * 2
    assert {run.started_at for run in everything(world)} == {None, due}


def test_what_was_queued_before_it_is_due_waits_for_its_instant(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could not be claimed with its queueing, since another run waited for a place already."""
    world.job(EVERY)
    world.job("on: manual\nsteps: [{act: hello}]\n", "earlier")
    due = world.clock.now() + 600_000_000
    world.start("earlier")
    world.clock.set(due - 5_000)
    scheduler, dispatcher = world.engine.scheduler, world.engine.dispatcher
    scheduler.ahead = 5_000

    async def story() -> None:
        instant = asyncio.Event()
        monkeypatch.setattr(world.clock, "sleep", lambda *_args, **_more: instant.wait())
        looking = asyncio.create_task(scheduler.run_once())
        await world.until(lambda: len(everything(world)) == 2)
        monkeypatch.undo()
        assert await dispatcher.run_once() == due, (
            "it looks again when the instant has come, whoever wakes it or not"
        )
        await world.idle()
        assert (world.state("earlier"), world.state()) == (RunState.SUCCEEDED, RunState.QUEUED)
        world.clock.set(due)
        instant.set()
        await looking
        await dispatcher.run_once()
        await world.idle()

    asyncio.run(story())
    assert (world.state(), world.run().started_at) == (RunState.SUCCEEDED, due)
