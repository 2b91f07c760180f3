"""The end of a run that is cancelled while nobody executes it: the same as that of one that is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.support.world import World

from rota.engine.executor import Stop
from rota.model.instants import MINUTE
from rota.model.run import Reason, RunState, StepState
from rota.ports.steps import Done, Failed, StepContext, StepResult, Waiting
from rota.ports.store import Tx

STEPS = "steps: [{id: a, act: first}, {id: b, act: second}]\n"
TOLD = "notify: [{type: chat, when: finished, message: 'ended: {{ state }}, since {{ reason }}'}]\n"
AFTER = "id: after\non: [{job: j, when: finished}]\nsteps: [{id: f, act: '{{ payload.state }}'}]\n"
TOO_LONG = Reason("cancelled", "it took too long")


def cancel(world: World, job_id: str = "j", reason: Reason = TOO_LONG) -> None:
    world.real.write_now(lambda tx: tx.runs.request_cancel(world.run(job_id).id, reason))


def test_a_queued_run_ends_with_its_steps_its_messages_and_its_followers(world: World) -> None:
    world.job(TOLD + STEPS)
    world.job(AFTER, "after")
    run = world.start()
    cancel(world)
    asyncio.run(world.settle())
    ended = world.runs()[0]
    assert (ended.id, ended.state, ended.reason) == (run.id, RunState.CANCELLED, TOO_LONG)
    assert ended.finished_at is not None
    assert ended.started_at is None
    assert world.states() == {"a": "skipped", "b": "skipped"}
    assert world.hosts.bodies == ["ended: cancelled, since it took too long"]
    assert [(b.step, b.text) for b in world.began] == [("f", "cancelled")]
    assert world.outcomes() == [("skipped", "cancelled")]
    assert "it took too long" in world.ledger()[0].reason.text


def test_a_waiting_run_ends_as_one_that_is_executed(world: World) -> None:
    world.job(TOLD + STEPS)
    world.job(AFTER, "after")
    world.on("b", Waiting("prompt", "well?", Reason("inbox", "waits")))
    world.start()
    asyncio.run(world.settle())
    cancel(world)
    asyncio.run(world.settle())
    assert (world.state(), world.run().reason) == (RunState.CANCELLED, TOO_LONG)
    assert world.states() == {"a": "succeeded", "b": "cancelled"}
    assert world.steps()["b"].reason == TOO_LONG
    assert world.run().outputs["output"] == "first"
    assert world.hosts.bodies[-1] == "ended: cancelled, since it took too long"
    assert world.state("after") is RunState.SUCCEEDED
    assert world.outcomes() == [("ran", "manual")]


def test_a_run_that_waits_for_its_next_try_does_not_make_it(world: World) -> None:
    world.job("retry: {attempts: 3, first: 60s}\n" + STEPS)
    world.on("a", Failed(Reason("x", "x")))
    world.start()
    asyncio.run(world.settle())
    cancel(world)
    asyncio.run(world.settle())
    world.clock.advance(600)
    asyncio.run(world.settle())
    assert world.states() == {"a": "cancelled", "b": "skipped"}
    assert len(world.began) == 1


def test_a_cancel_that_comes_while_the_last_step_asks_ends_the_step_too(world: World) -> None:
    world.job(STEPS)

    def ask(_ctx: StepContext) -> StepResult:
        cancel(world)
        return Waiting("prompt", "well?", Reason("inbox", "waits"))

    world.on("b", ask)
    world.start()
    asyncio.run(world.settle())
    assert (world.state(), world.run().reason) == (RunState.CANCELLED, TOO_LONG)
    assert world.states() == {"a": "succeeded", "b": "cancelled"}
    assert world.real.read(lambda tx: tx.approvals.open()) == []


def test_a_running_run_ends_with_the_reason_that_was_given(world: World) -> None:
    world.job(TOLD + STEPS)
    leave = asyncio.Event()

    async def wait(_ctx: StepContext) -> StepResult:
        await leave.wait()
        return Done()

    world.on("a", wait)
    world.start()

    async def story() -> None:
        await world.engine.dispatcher.run_once()
        await world.until(lambda: world.began)
        cancel(world)
        await world.settle()

    asyncio.run(story())
    assert (world.state(), world.run().reason) == (RunState.CANCELLED, TOO_LONG)
    assert world.steps()["a"].reason == TOO_LONG
    assert world.hosts.bodies == ["ended: cancelled, since it took too long"]


def test_a_run_whose_owner_died_after_it_was_told_to_end_ends_and_leaves_no_try_open(world: World) -> None:
    world.job(STEPS)

    async def forever(_ctx: StepContext) -> StepResult:
        await asyncio.Event().wait()
        raise AssertionError

    world.on("a", forever)
    world.start()

    async def story() -> None:
        await world.engine.dispatcher.run_once()
        await world.until(lambda: world.began)
        cancel(world)
        await world.kill()
        await world.engine.recovery.run_once()
        await world.settle()

    asyncio.run(story())
    assert (world.state(), world.run().reason) == (RunState.CANCELLED, TOO_LONG)
    assert world.states() == {"a": "cancelled", "b": "skipped"}
    assert [attempt.state.value for attempt in world.attempts("a")] == ["cancelled"]
    assert len(world.began) == 1


def test_what_a_later_run_cancels_tells_of_it(world: World) -> None:
    world.job("overlap: cancel-running\n" + TOLD + "schedule: every 10m\n" + STEPS)
    for _ in range(2):
        world.clock.advance(600)
        asyncio.run(world.engine.scheduler.run_once())
    asyncio.run(world.settle())
    later, earlier = world.runs()
    assert (later.state, earlier.state) == (RunState.SUCCEEDED, RunState.CANCELLED)
    assert later.id in earlier.reason.text
    assert any(later.id in body for body in world.hosts.bodies)


def test_runs_that_cancel_each_other_come_to_an_end(world: World) -> None:
    """Two jobs after each other's end, which a queued run of each would set going within one transaction."""
    world.job("overlap: cancel-running\n" + STEPS)
    world.job("overlap: cancel-running\n" + AFTER, "after")
    for _ in range(3):
        world.start()
    asyncio.run(world.settle())
    assert [run.state.value for run in world.runs()] == ["succeeded", "cancelled", "cancelled"]
    assert {run.state.value for run in world.runs("after")} <= {"succeeded", "cancelled"}


def test_a_run_whose_definition_cannot_be_read_can_be_cancelled(world: World) -> None:
    world.job(STEPS)
    world.start()
    cancel(world)

    class Broken:
        def get(self, *_: object) -> object:
            raise ValueError("not JSON")

    world.engine.dispatcher._definitions = Broken()  # type: ignore[assignment]
    asyncio.run(world.pass_())
    assert world.state() is RunState.CANCELLED
    assert world.outcomes() == [("skipped", "cancelled")]


def test_a_run_that_jitter_holds_back_can_be_cancelled(world: World) -> None:
    world.job("jitter: 1h\nschedule: every 10m\n" + STEPS)
    world.clock.advance(10 * MINUTE / 1e6)
    asyncio.run(world.engine.scheduler.run_once())
    assert world.state() is RunState.WAITING
    cancel(world)
    asyncio.run(world.settle())
    assert world.state() is RunState.CANCELLED
    assert world.outcomes() == [("skipped", "cancelled")]


@pytest.mark.parametrize(
    ("step", "reached", "states"),
    [
        ("b", StepState.RUNNING, {"a": "succeeded", "b": "cancelled"}),
        ("a", StepState.SUCCEEDED, {"a": "succeeded", "b": "skipped"}),
    ],
)
def test_a_cancel_in_the_moment_of_a_write_keeps_what_was_written(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    reached: StepState,
    states: dict[str, str],
) -> None:
    """The write goes on to its end; who asked for it is gone by then."""
    world.job(STEPS)
    run = world.start()
    write = world.store.write
    stopped = False

    async def interrupted(work: Callable[[Tx], object]) -> object:
        nonlocal stopped
        result = await write(work)
        found = world.steps(run).get(step)
        if not stopped and found is not None and found.state is reached:
            stopped = True
            world.engine.work.stop(run.id, Stop.CANCEL)
            await asyncio.Event().wait()
        return result

    monkeypatch.setattr(world.store, "write", interrupted)
    asyncio.run(world.settle())
    assert world.state() is RunState.CANCELLED
    assert world.states() == states
    assert [one.state.value for one in world.attempts(step)] == [states[step]]
    assert world.steps()[step].attempts == 1
