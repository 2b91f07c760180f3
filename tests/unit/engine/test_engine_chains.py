"""Jobs that start after other jobs: who follows whom, how deep, and what the ledger says."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import World

from rota.engine.chains import DEPTH
from rota.model.ledger import JobRecord
from rota.model.run import Run, RunState
from rota.planning.chains import MAX_DEPTH
from rota.ports.store import Tx
from rota.store.jobs import Jobs

STEP = "steps: [{id: a, act: hello}]\n"


def after(job_id: str, upstream: str, more: str = "") -> str:
    return f"id: {job_id}\n{more}on: [{{job: {upstream}}}]\nsteps: [{{id: {job_id}, act: x}}]\n"


def run_once(world: World, job_id: str = "j") -> None:
    world.start(job_id)
    asyncio.run(world.settle())


def test_a_follower_that_is_added_moved_or_removed_follows_as_it_says_now(world: World) -> None:
    world.job(STEP)
    world.job("id: other\n" + STEP, "other")
    run_once(world)
    world.job(after("b", "j"), "b")
    run_once(world)
    assert len(world.runs("b")) == 1
    world.job(after("b", "other"), "b")
    run_once(world)
    assert len(world.runs("b")) == 1
    run_once(world, "other")
    assert len(world.runs("b")) == 2
    world.remove("b")
    run_once(world, "other")
    assert len(world.runs("b")) == 2
    world.clock.advance(1)
    world.job(after("b", "other"), "b")
    run_once(world, "other")
    assert len(world.runs("b")) == 3


def test_a_state_of_a_version_that_kept_no_index_has_its_followers_too(world: World) -> None:
    world.job(STEP)
    world.job(after("b", "j"), "b")

    def forget(tx: Tx) -> None:
        for name in ("followers", "followers:j"):
            tx.cursors.put(name, None, 0)

    world.real.write_now(forget)
    run_once(world)
    assert len(world.runs("b")) == 1


def test_the_end_of_a_run_does_not_read_every_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.job(STEP)
    world.job(after("b", "j"), "b")
    run_once(world)
    read: list[str] = []

    def all_of_them(*_: object, **__: object) -> list[JobRecord]:
        raise AssertionError("it read every job")

    get = Jobs.get

    def one(self: Jobs, job_id: str) -> JobRecord | None:
        read.append(job_id)
        return get(self, job_id)

    monkeypatch.setattr(Jobs, "all", all_of_them)
    monkeypatch.setattr(Jobs, "get", one)
    run_once(world)
    assert len(world.runs("b")) == 2
    assert set(read) <= {"j", "b"}


@pytest.mark.parametrize(("how", "reason"), [("pause", "paused"), ("disable", "disabled")])
def test_a_follower_at_rest_does_not_run_and_the_ledger_says_why(world: World, how: str, reason: str) -> None:
    world.job(STEP)
    world.job(after("b", "j"), "b")
    if how == "pause":
        world.pause("b")
    else:
        world.job(after("b", "j", "enabled: false\n"), "b")
    run_once(world)
    assert world.runs("b") == []
    assert world.outcomes("b") == [("skipped", reason)]
    if how == "pause":
        world.resume("b")
    asyncio.run(world.settle())
    assert world.runs("b") == [], "nor when it is resumed"


@pytest.mark.parametrize(
    ("before", "row"), [(MAX_DEPTH - 1, ("ran", "after_job")), (MAX_DEPTH, ("skipped", "chain_depth"))]
)
def test_a_chain_ends_after_so_many_runs_and_says_so(world: World, before: int, row: tuple[str, str]) -> None:
    world.job(STEP)
    world.job(after("b", "j"), "b")
    record = world.record()
    assert record is not None
    run = Run("deep", "j", RunState.QUEUED, record.hash, world.clock.now(), inputs={DEPTH: before})
    world.real.write_now(lambda tx: tx.runs.add(run))
    asyncio.run(world.settle())
    assert world.outcomes("b") == [row]
    assert [other.inputs[DEPTH] for other in world.runs("b")] == [MAX_DEPTH] * (row[0] == "ran")


def test_a_circle_that_got_into_the_state_comes_to_an_end(world: World) -> None:
    world.job("id: a\non: [{job: b}]\n" + STEP, "a")
    world.job("id: b\non: [{job: a}]\n" + STEP, "b")
    world.start("a")
    asyncio.run(world.settle(passes=2 * MAX_DEPTH))
    assert len(world.runs("a")) + len(world.runs("b")) == MAX_DEPTH + 1
    assert [row.reason.code for row in world.ledger("b")][-1] == "chain_depth"


def test_a_jobs_condition_sees_the_workspace_and_how_its_last_run_ended(world: World) -> None:
    world.job("if: \"workspace.name == 'world' and previous is none\"\nschedule: every 10m\n" + STEP)
    for _ in range(2):
        world.clock.advance(600)
        asyncio.run(world.settle())
    assert world.outcomes() == [("ran", "on_time"), ("skipped", "condition")]
    world.job(
        "if: \"previous.finished_at.minute >= 0 and workspace.path != ''\"\nschedule: every 10m\n" + STEP
    )
    world.clock.advance(600)
    asyncio.run(world.settle())
    assert world.outcomes()[-1] == ("ran", "on_time")


def test_a_followers_condition_sees_the_workspace_too(world: World) -> None:
    world.job(STEP)
    world.job(after("b", "j", "if: \"workspace.name == 'world' and payload.job == 'j'\"\n"), "b")
    world.job(after("c", "j", "if: \"workspace.name == 'elsewhere'\"\n"), "c")
    run_once(world)
    assert world.outcomes("b") == [("ran", "after_job")]
    assert world.outcomes("c") == [("skipped", "condition")]
