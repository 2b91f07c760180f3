"""Which runs start now, which follow others, what goes in the end, and the loops around it all."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.support.world import World

from rota.engine.queueing import Call, new_runs
from rota.engine.retention import EVERY
from rota.model.config import Limits
from rota.model.instants import SECOND
from rota.model.run import Reason, RunState
from rota.ports.steps import Done, Failed, StepContext, StepResult
from rota.spec import from_json

STEP = "steps: [{id: a, act: hello}]\n"


def names(world: World) -> list[str]:
    """Jobs whose step has begun, in that order."""
    return [began.ctx.job.id for began in world.began]


def hold(world: World) -> asyncio.Event:
    """Steps begin, and end when the event is set."""
    leave = asyncio.Event()

    async def wait(_ctx: StepContext) -> StepResult:
        await leave.wait()
        return Done()

    world.on("a", wait)
    return leave


async def started(world: World, count: int) -> None:
    await world.engine.dispatcher.run_once()
    await world.until(lambda: len(world.began) >= count)
    await asyncio.sleep(0.02)
    assert len(world.began) == count


def test_no_more_runs_than_the_workspace_allows(world: World) -> None:
    world.settings(limits=Limits(runs=2))
    for name in "pqr":
        world.job(f"id: {name}\n{STEP}", name)
        world.start(name)

    async def story() -> None:
        leave = hold(world)
        await started(world, 2)
        await started(world, 2)
        leave.set()
        await world.settle()

    asyncio.run(story())
    assert names(world) == ["p", "q", "r"]


def test_runs_of_one_job_follow_each_other_and_hold_up_no_other_job(world: World) -> None:
    world.job("overlap: queue\n" + STEP)
    world.job("id: other\n" + STEP, "other")
    for name in ("j", "j", "other"):
        world.start(name)

    async def story() -> None:
        leave = hold(world)
        await started(world, 2)
        assert names(world) == ["j", "other"]
        leave.set()
        await world.settle()

    asyncio.run(story())
    assert names(world) == ["j", "other", "j"]


def test_a_long_queue_of_one_job_holds_up_no_other(world: World) -> None:
    world.job("overlap: allow\nconcurrency: {group: g, limit: 1}\npriority: 5\n" + STEP)
    world.job("id: other\n" + STEP, "other")
    for _ in range(250):
        world.start()
    world.start("other")

    async def story() -> None:
        hold(world)
        await started(world, 2)
        await world.engine.work.drain(0.0)

    asyncio.run(story())
    assert sorted(names(world)) == ["j", "other"]


def test_a_group_is_shared_by_jobs_and_rota_yaml_has_the_last_word(world: World) -> None:
    world.settings(groups={"gpu": 2})
    for name in "pqr":
        world.job(f"id: {name}\nconcurrency: {{group: gpu, limit: 1}}\n{STEP}", name)
        world.start(name)

    async def story() -> None:
        leave = hold(world)
        await started(world, 2)
        leave.set()
        await world.settle()

    asyncio.run(story())
    assert len(world.began) == 3


def test_a_place_that_another_process_took_meanwhile_is_not_taken_twice(world: World) -> None:
    runs = []
    for name in "pq":
        world.job(f"id: {name}\nconcurrency: {{group: gpu, limit: 1}}\n{STEP}", name)
        runs.append(world.start(name))
    first, second = (world.new_engine(only=run.id) for run in runs)

    async def story() -> None:
        hold(world)
        await asyncio.gather(first.dispatcher.run_once(), second.dispatcher.run_once())
        await world.until(lambda: world.began)
        await asyncio.sleep(0.02)
        assert len(world.began) == 1
        await asyncio.gather(first.executor.drain(0.0), second.executor.drain(0.0))

    asyncio.run(story())


def test_the_more_urgent_one_starts_first(world: World) -> None:
    world.settings(limits=Limits(runs=1))
    world.job("id: low\n" + STEP, "low")
    world.job("id: high\npriority: 5\n" + STEP, "high")
    world.start("low")
    world.start("high")
    asyncio.run(world.settle())
    assert names(world) == ["high", "low"]


def test_a_run_whose_time_has_come_and_that_finds_no_place_makes_no_spin(world: World) -> None:
    world.job("overlap: allow\nmax_active: 1\nretry: {attempts: 2, first: 10s}\n" + STEP)
    world.on("a", Failed(Reason("x", "x")))
    world.start()

    async def story() -> None:
        await world.pass_()
        assert world.state() is RunState.WAITING
        hold(world)
        world.start()
        await world.engine.dispatcher.run_once()
        world.clock.advance(10)
        wake = await world.engine.dispatcher.run_once()
        assert wake is not None
        assert wake >= world.clock.now() + SECOND
        await world.engine.work.drain(0.0)

    asyncio.run(story())


def test_a_definition_that_cannot_be_read_fails_its_run_and_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.job(STEP)
    world.job("id: bad\non: [{job: j}]\n" + STEP, "bad")
    world.start("bad")
    world.start()
    world.engine = world.new_engine()
    read = from_json

    def picky(text: str) -> object:
        if '"bad"' in text:
            raise KeyError("steps")
        return read(text)

    monkeypatch.setattr("rota.engine.definitions.from_json", picky)
    asyncio.run(world.settle())
    assert world.state() is RunState.SUCCEEDED
    assert (world.state("bad"), world.run("bad").reason.code) == (RunState.FAILED, "internal")


@pytest.mark.parametrize(
    ("when", "result", "runs"),
    [
        ("succeeded", Done("out", {"n": 4}), 1),
        ("succeeded", Failed(Reason("x", "x")), 0),
        ("failed", Failed(Reason("x", "x")), 1),
        ("failed", Done(), 0),
        ("finished", Done(), 1),
        ("finished", Failed(Reason("x", "x")), 1),
    ],
)
def test_a_job_follows_another(world: World, when: str, result: StepResult, runs: int) -> None:
    world.job(STEP)
    world.job(f"id: next\non: [{{job: j, when: {when}}}]\nsteps: [{{id: b, act: x}}]\n", "next")
    world.on("a", result)
    world.start()
    asyncio.run(world.settle())
    assert len(world.runs("next")) == runs
    assert len(world.ledger("next")) == runs


def test_a_follower_sees_what_the_other_put_out_and_its_condition_decides(world: World) -> None:
    world.job(STEP)
    text = 'id: next\nif: "payload.values.n > 3"\non: [{job: j}]\nsteps: [{id: b, act: "{{ payload.output }}"}]\n'
    world.job(text, "next")
    world.on("a", [Done("three", {"n": 3}), Done("four", {"n": 4})])
    for _ in range(2):
        world.start()
        asyncio.run(world.settle())
    assert world.outcomes("next") == [("skipped", "condition"), ("ran", "after_job")]
    assert world.began[-1].text == "four"


def test_a_paused_follower_does_not_follow(world: World) -> None:
    world.job(STEP)
    world.job("id: next\non: [{job: j}]\nsteps: [{id: b, act: x}]\n", "next")
    world.pause("next")
    world.start()
    asyncio.run(world.settle())
    assert world.runs("next") == []


def test_a_job_is_paused_after_so_many_failures_in_a_row(world: World) -> None:
    world.settings(max_failures=3)
    world.job(STEP)
    world.on("a", Failed(Reason("x", "x")))
    for _ in range(3):
        world.start()
        asyncio.run(world.settle())
    record = world.record()
    assert record is not None
    assert (record.status, record.paused_reason) == ("paused", "3 runs in a row failed")


def test_old_runs_and_their_logs_go_and_the_ledger_stays(world: World) -> None:
    world.settings(limits=Limits(keep_runs=2))
    world.job(STEP)

    def talks(ctx: StepContext) -> StepResult:
        ctx.log("stdout", b"words\n")
        return Done()

    world.on("a", talks)
    for _ in range(5):
        world.start()
        asyncio.run(world.settle())
    assert asyncio.run(world.engine.retention.run_once()) == 3
    assert len(world.runs()) == 2
    assert {p.name for p in (world.root / ".rota/logs/runs").iterdir()} == {run.id for run in world.runs()}
    assert len(world.ledger()) == 5


def test_old_runs_go_in_time_however_short_the_lives_of_the_daemons_are(world: World) -> None:
    world.settings(limits=Limits(keep_runs=1))
    world.job("overlap: allow\n" + STEP)

    def left_by_a_tick() -> int:
        world.start()
        world.start()
        world.engine = world.new_engine()
        asyncio.run(world.engine.run_dry(schedule=True))
        return len(world.runs())

    assert left_by_a_tick() == 1
    world.clock.advance(EVERY / SECOND / 2)
    assert left_by_a_tick() == 3, "not again so soon"
    world.clock.advance(EVERY / SECOND / 2)
    assert left_by_a_tick() == 1
    world.clock.advance(-86_400)
    assert left_by_a_tick() == 1, "a clock that was set back does not put it off"


def test_a_tick_also_starts_what_follows(world: World) -> None:
    world.job("schedule: every 10m\nnotify: [chat]\n" + STEP)
    world.job("id: next\non: [{job: j}]\nsteps: [{id: b, act: x}]\n", "next")
    world.clock.advance(600)
    asyncio.run(world.engine.run_dry(schedule=True))
    assert (world.state(), world.state("next")) == (RunState.SUCCEEDED, RunState.SUCCEEDED)
    assert world.hosts.bodies == ["j: succeeded"]


def test_one_run_in_the_foreground_waits_for_its_retries_and_starts_no_other(world: World) -> None:
    world.job("retry: {attempts: 2, first: 60s}\n" + STEP)
    world.job("id: other\n" + STEP, "other")
    world.on("a", [Failed(Reason("x", "x")), Done()])
    world.start("other")
    run = world.start()
    world.engine = world.new_engine(only=run.id)
    asyncio.run(world.engine.run_dry(schedule=False))
    assert (world.state(), world.state("other")) == (RunState.SUCCEEDED, RunState.QUEUED)


def test_the_loops_fire_recover_and_deliver_by_themselves(world: World) -> None:
    world.job("schedule: every 20s\nnotify: [chat]\nretry: {attempts: 2, first: 5s}\n" + STEP)
    world.on("a", [Failed(Reason("x", "x")), *[Done() for _ in range(1000)]])

    async def story() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(world.engine.serve(stop))
        await world.until(lambda: len(world.hosts.calls) >= 2)
        stop.set()
        await asyncio.wait_for(serving, 10)

    asyncio.run(story())
    assert world.attempts("a", world.runs()[-1])[0].state.value == "failed"
    assert {row.outcome.value for row in world.ledger()} == {"ran"}


def test_a_loop_that_fails_goes_on(world: World) -> None:
    from rota.model.errors import StoreError

    world.job("schedule: every 20s\n" + STEP)

    async def story() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(world.engine.serve(stop))
        await asyncio.sleep(0.02)
        world.store.faults = [StoreError("the disk is full") for _ in range(4)]
        await world.until(lambda: world.began)
        stop.set()
        await asyncio.wait_for(serving, 10)

    asyncio.run(story())
    assert len(world.ledger()) >= 1


def test_jobs_that_are_given_the_same_have_defaults_of_their_own(world: World) -> None:
    text = "overlap: allow\nparams: {who: {default: NAME}}\n" + STEP
    jobs = [world.job(text.replace("NAME", name), name) for name in ("ada", "bo")]
    given = {"payload": {"n": 1}}
    now = world.clock.now()
    calls = [Call(job, job.id, "manual", now, Reason("manual", "x"), inputs=given) for job in jobs]
    texts = [json.loads(row.inputs) for row in new_runs(calls, now)]
    assert texts == [{"params": {"who": name}, "payload": {"n": 1}} for name in ("ada", "bo")]
