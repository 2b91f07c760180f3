"""What is kept: not too old, not too much, and never at the expense of a firing."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.support.world import World

from rota.engine import caps
from rota.model.config import Limits
from rota.model.instants import DAY, HOUR, MINUTE
from rota.model.run import Reason, RunState
from rota.ports.steps import Done, StepContext, Waiting

STEP = "steps: [{id: a, act: x}]\n"


def done(world: World, job_id: str = "j") -> str:
    """One run of the job, to its end; its id."""
    run = world.start(job_id)
    asyncio.run(world.settle())
    return run.id


def sql(world: World, text: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(world.root / ".rota/state.db")) as connection, connection:
        return connection.execute(text, values).fetchall()


def count(world: World, table: str = "runs") -> int:
    return int(sql(world, f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608 # a table of rota's


def copy(world: World, table: str, copies: int, **changed: str) -> None:
    """Copies of the table's first row, but for the columns that are given as SQL over `n`, from 1."""
    names = [row[1] for row in sql(world, f"PRAGMA table_info({table})")]
    values = ", ".join(changed.get(name, name) for name in names)
    sql(
        world,
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "  # noqa: S608 # this file's own words
        f"INSERT INTO {table} SELECT {values} FROM numbers, (SELECT * FROM {table} LIMIT 1)",
        copies,
    )


def old_runs(world: World, copies: int, *, apart: int = MINUTE, outputs: str = "outputs") -> None:
    """Many finished runs of `j`, `apart` from each other, that are older than all others."""
    ago = f"- n * {apart}"
    copy(
        world, "runs", copies, id="printf('old-%06d', n)", queued_at=f"queued_at {ago}", outputs=outputs,
        finished_at=f"finished_at {ago}",
    )  # fmt: skip


def prune(world: World) -> None:
    asyncio.run(world.engine.retention.run_once())


def test_a_firing_in_the_midst_of_much_pruning_waits_for_none_of_it(world: World) -> None:
    world.job("schedule: every 10s\n" + STEP)
    kept = done(world)
    old_runs(world, 20_000)
    copy(world, "events", 5_000, id="100 + n", at=f"at - {200 * DAY}")

    async def story() -> None:
        pruning = asyncio.create_task(world.engine.retention.run_once())
        await world.until(lambda: count(world) < 20_000)
        world.clock.advance(10)
        await world.pass_()
        assert world.run().state is RunState.SUCCEEDED
        assert world.run().id != kept
        assert not pruning.done()
        assert count(world) > 10_000, "it fired long before the pruning was through"
        await pruning

    asyncio.run(story())
    assert count(world) == 100
    assert kept in {run.id for run in world.runs()}


def test_after_a_start_what_is_due_comes_first(world: World) -> None:
    world.job("schedule: every 1h\n" + STEP)
    done(world)
    old_runs(world, 300)
    world.clock.advance(3600)
    seen: list[int] = []

    def fired(_ctx: StepContext) -> Done:
        seen.append(count(world))
        return Done()

    world.on("a", fired)

    async def story() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(world.engine.serve(stop))
        await world.until(lambda: count(world) == 100)
        stop.set()
        await serving

    asyncio.run(story())
    assert seen[0] == 302, "all that was there, and itself"


def test_the_oldest_logs_of_a_job_go_when_they_are_too_much(world: World) -> None:
    world.settings(limits=Limits(logs=2_500, excerpt=100))
    world.job("overlap: allow\n" + STEP)
    world.job("id: other\nsteps: [{id: b, act: x}]\n", "other")

    def prints(ctx: StepContext) -> Done:
        ctx.log("stdout", b"x" * 1000)
        return Done()

    def asks(ctx: StepContext) -> Waiting:
        prints(ctx)
        return Waiting("prompt", "And?", Reason("waits", "waits"))

    world.on("a", asks)
    waiting = done(world)
    world.on("a", prints)
    world.on("b", prints)
    runs = [done(world) for _ in range(4)]
    other = done(world, "other")
    logs = world.root / ".rota/logs/runs"

    prune(world)
    assert {path.name for path in logs.iterdir()} == {waiting, *runs[-2:], other}
    assert len(world.runs()) == 5, "the runs stay, with the beginning and the end of what they printed"
    assert world.attempts("a", world.runs()[-2])[0].excerpt.startswith("xxxx")
    world.settings(limits=Limits(logs=10))
    prune(world)
    assert {path.name for path in logs.iterdir()} == {waiting, runs[-1], other}, "never the newest one's"


def test_a_state_that_is_too_large_loses_its_oldest_history(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caps, "SPARE", 0)
    world.job(STEP)
    world.job("id: rare\nsteps: [{id: b, act: x}]\n", "rare")
    rare = done(world, "rare")
    world.clock.advance(30 * 86_400)
    newest = done(world)
    # The first row of all is that of the rare job.
    old_runs(world, 400, apart=HOUR, outputs="""'{"x":"' || hex(zeroblob(10000)) || '"}'""")
    sql(world, "UPDATE runs SET job_id = 'j' WHERE id LIKE 'old-%'")
    world.settings(limits=Limits(keep_runs=1000, state=world.real.used() + 1_000_000))
    prune(world)
    assert count(world) == 402, "it is not too large yet"

    half = world.real.used() - 4_000_000
    world.settings(limits=Limits(keep_runs=1000, state=half))
    size = (world.root / ".rota/state.db").stat().st_size
    with capture_logs() as said:
        prune(world)
    assert world.real.used() <= half
    left = {run.id for run in [*world.runs(), *world.runs("rare")]}
    assert {rare, newest} <= left, "never the newest run of a job"
    gone = [n for n in range(1, 401) if f"old-{n:06d}" not in left]
    assert gone == list(range(gone[0], 401)), "the oldest went"
    assert len(gone) < 300, "and not many more than had to"
    assert [event["event"] for event in said if event["log_level"] == "warning"] == [
        "state_too_large", "history_cut_short",
    ]  # fmt: skip
    assert (world.root / ".rota/state.db").stat().st_size < size, "the disk has the space back"
    assert world.real.check() is None


def test_a_ledger_that_is_too_large_is_cut_short_too_and_the_rest_is_said(world: World) -> None:
    world.job("schedule: every 1h\n" + STEP)
    world.clock.advance(3600)
    asyncio.run(world.settle())
    copy(
        world, "occurrences", 5_000, key="'old' || n", due_at=f"due_at - n * {HOUR}", run_id="NULL",
        reason_text="hex(zeroblob(200))",
    )  # fmt: skip
    limit = world.real.used() - 1_500_000
    world.settings(limits=Limits(state=limit))
    prune(world)
    assert world.real.used() <= limit
    oldest = world.ledger()[0].due_at
    assert 1000 < len(sql(world, "SELECT 1 FROM occurrences")) < 5_000
    assert all(row.due_at >= oldest for row in world.ledger())
    assert world.ledger()[-1].run_id == world.run().id

    world.settings(limits=Limits(state=1000))
    with capture_logs() as said:
        prune(world)
    assert [event["event"] for event in said if event["log_level"] == "error"] == ["state_still_too_large"]
    assert world.run().state is RunState.SUCCEEDED, "what is needed stays, whatever the limit is"


def test_definitions_that_nothing_refers_to_are_forgotten(world: World) -> None:
    world.settings(limits=Limits(keep_runs=1))
    for number in range(30):
        world.job(f"description: version {number}\n{STEP}")
        if number in {3, 7}:
            done(world)
    prune(world)
    prune(world)
    assert len(sql(world, "SELECT 1 FROM job_definitions")) == 2, "the present one, and that of the run"
    assert world.runs()[0].definition != getattr(world.record(), "hash", None)
    done(world)
    assert world.state() is RunState.SUCCEEDED
