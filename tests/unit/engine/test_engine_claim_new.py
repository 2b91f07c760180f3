"""A run that is due and finds a place is claimed in the transaction that queues it."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import World

from rota.engine.work import Claimed
from rota.model.config import Limits
from rota.model.run import RunState

EVERY = "schedule: every 10m\nsteps: [{id: a, act: hello}]\n"


@pytest.fixture(autouse=True)
def starter(world: World) -> None:
    world.engine.scheduler.starter = world.engine.dispatcher


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
