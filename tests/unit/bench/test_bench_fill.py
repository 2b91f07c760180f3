"""The large states that the bench makes in SQL are such as rota itself would have made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from bench import fill
from tests.support.invariants import Expected, Inspection
from tests.support.world import World

from rota.model.instants import SECOND
from rota.model.run import RunState
from rota.store import open_store

NOOP = "id: job\non: manual\noverlap: allow\nsteps:\n  - id: work\n    act: done\n"
STATE = Path(".rota") / "state.db"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_made_runs_are_whole_and_in_their_jobs_histories(world: World) -> None:
    world.job(NOOP, "job")
    first = world.start("job")
    asyncio.run(world.settle())
    world.real.close()

    fill.runs(world.root / STATE, first.id, 10, 200)

    store = open_store(world.root / STATE)
    try:
        assert store.check() is None
        assert Inspection(world.root, Expected(silent=frozenset({"work"}))).harm() == {}
        history = store.read(lambda tx: tx.runs.recent(job_id="past-7", limit=1000))
        assert len(history) == 20
        assert {run.state for run in history} == {RunState.SUCCEEDED}
        latest = history[0]
        (step,) = store.read(lambda tx: tx.runs.steps(latest.id))
        assert (step.step_id, step.output) == ("work", "done")
        assert len(store.read(lambda tx: tx.runs.attempts(latest.id, "work"))) == 1
        (ran,) = store.read(lambda tx: [row for row in tx.ledger.of("past-7") if row.run_id == latest.id])
        assert ran.outcome.value == "ran"
        moments = [run.queued_at for run in history]
        assert [a - b for a, b in pairwise(moments)] == [10 * SECOND] * 19
        everything = store.read(lambda tx: tx.runs.recent(limit=1000))
        assert [run.id for run in everything] == sorted((run.id for run in everything), reverse=True)
    finally:
        store.close()


def test_a_made_state_goes_on(world: World) -> None:
    """A run after it is the newest one, and made schedules neither fire nor hold up the one that is due."""
    world.job("id: second\nschedule: every 1s\nsteps:\n  - id: work\n    act: done\n", "second")

    fill.schedules(world.root / STATE, "second", 300)

    assert world.real.check() is None
    world.clock.advance(2 * SECOND)
    asyncio.run(world.settle())
    assert len(world.real.read(lambda tx: tx.triggers.all())) == 301
    runs = world.real.read(lambda tx: tx.runs.recent(limit=1000))
    assert {run.job_id for run in runs} == {"second"}
    assert {run.state for run in runs} == {RunState.SUCCEEDED}
