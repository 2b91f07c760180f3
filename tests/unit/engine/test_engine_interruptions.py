"""Runs that are cancelled, shut down, killed or taken over."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import World

from rota.model.ledger import Outcome
from rota.model.run import Reason, RunState
from rota.ports.steps import Done, StepContext, StepResult, Waiting

TWO = "steps: [{id: a, act: first}, {id: b, act: second}]\n"
THREE = "steps: [{id: a, act: first}, {id: b, act: second%s}, {id: c, act: third}]\n"


async def forever(_ctx: StepContext) -> StepResult:
    await asyncio.Event().wait()
    raise AssertionError


async def under_way(world: World, step: str) -> None:
    """Start what is queued, until the step runs."""
    await world.engine.dispatcher.run_once()
    await world.until(lambda: world.began and world.began[-1].step == step)


def cancel(world: World) -> None:
    reason = Reason("cancelled", "cancelled by hand")
    world.real.write_now(lambda tx: tx.runs.request_cancel(world.run().id, reason))


def test_cancel_while_running_ends_the_step_and_starts_no_other(world: World) -> None:
    world.job(THREE % "")
    world.on("b", forever)
    world.start()

    async def story() -> None:
        await under_way(world, "b")
        cancel(world)
        await world.pass_()

    asyncio.run(story())
    assert (world.state(), world.run().reason.code) == (RunState.CANCELLED, "cancelled")
    assert world.states() == {"a": "succeeded", "b": "cancelled", "c": "skipped"}
    assert world.attempts("b")[0].state.value == "cancelled"
    assert world.ledger()[0].outcome is Outcome.RAN


def test_cancel_before_the_first_step_starts_none(world: World) -> None:
    world.job(TWO)
    world.start()

    async def story() -> None:
        await world.engine.dispatcher.run_once()
        cancel(world)
        await world.pass_()

    asyncio.run(story())
    assert world.state() in {RunState.CANCELLED, RunState.SUCCEEDED}


def test_cancel_while_queued_is_skipped_in_the_ledger(world: World) -> None:
    world.job(TWO)
    world.start()
    cancel(world)
    asyncio.run(world.pass_())
    assert world.state() is RunState.CANCELLED
    assert world.began == []
    assert world.outcomes() == [("skipped", "cancelled")]


def test_cancel_while_waiting_for_a_person_withdraws_the_question(world: World) -> None:
    world.job(TWO)
    world.on("a", Waiting("prompt", "well?", Reason("inbox", "waits")))
    world.start()
    asyncio.run(world.pass_())
    assert len(world.real.read(lambda tx: tx.approvals.open())) == 1
    cancel(world)
    asyncio.run(world.pass_())
    assert world.state() is RunState.CANCELLED
    assert world.states() == {"a": "cancelled", "b": "skipped"}
    assert world.real.read(lambda tx: tx.approvals.open()) == []
    assert world.ledger()[0].outcome is Outcome.RAN


def test_a_shutdown_leaves_the_run_to_go_on_with_what_it_began_with(world: World) -> None:
    world.job(
        'params: {who: {default: Ada}}\nsteps: [{id: a, act: first}, {id: b, act: "to {{ params.who }}"}]\n'
    )
    world.on("b", forever)
    world.start(who="Grace")

    async def story() -> None:
        await under_way(world, "b")
        await world.stop()
        assert (world.state(), world.run().reason.code) == (RunState.QUEUED, "shutdown")
        world.job("steps: [{id: other, act: quite another job}]\n")
        world.behaviours.clear()
        await world.settle()

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED
    assert [(b.step, b.attempt, b.text) for b in world.began] == [
        ("a", 1, "first"),
        ("b", 1, "to Grace"),
        ("b", 2, "to Grace"),
    ]
    assert [attempt.state.value for attempt in world.attempts("b")] == ["interrupted", "succeeded"]


def test_a_shutdown_gives_what_runs_its_grace(world: World) -> None:
    world.job(TWO)
    leave = asyncio.Event()

    async def short(_ctx: StepContext) -> StepResult:
        await leave.wait()
        return Done()

    world.on("b", short)
    world.start()

    async def story() -> None:
        await under_way(world, "b")
        asyncio.get_running_loop().call_later(0.02, leave.set)
        await world.engine.work.drain(5.0)

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED


def test_a_shutdown_ends_though_the_state_cannot_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rota.engine.executor.ENDING", 0.05)
    world.job(TWO)
    world.on("b", forever)
    world.start()

    async def story() -> None:
        await under_way(world, "b")
        world.store.dead = True
        await asyncio.wait_for(world.engine.work.drain(0.0), 5)

    asyncio.run(story())
    assert world.state() is RunState.RUNNING


def test_a_run_whose_owner_was_killed_goes_on_after_its_last_finished_step(world: World) -> None:
    world.job(THREE % "")
    world.on("b", forever)
    world.start()

    async def story() -> None:
        await under_way(world, "b")
        await world.kill()
        assert world.state() is RunState.RUNNING
        world.behaviours.clear()
        assert await world.engine.recovery.run_once() == 1
        await world.settle()

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED
    assert [b.step for b in world.began] == ["a", "b", "b", "c"]
    run = world.run()
    assert world.processes.swept == [{"ROTA_RUN_ID": run.id, "ROTA_WORKSPACE": str(world.root)}]
    assert len(world.ledger()) == 1


def test_on_interrupt_fail_fails_it(world: World) -> None:
    world.job(THREE % ", on_interrupt: fail")
    world.on("b", forever)
    world.start()

    async def story() -> None:
        await under_way(world, "b")
        await world.kill()
        await world.engine.recovery.run_once()
        await world.settle()

    asyncio.run(story())
    assert world.state() is RunState.FAILED
    assert world.states() == {"a": "succeeded", "b": "failed", "c": "skipped"}
    assert [b.step for b in world.began] == ["a", "b"]


@pytest.mark.parametrize(
    ("reply", "states", "began"),
    [
        ("retry", {"a": "succeeded", "b": "succeeded", "c": "succeeded"}, ["a", "b", "b", "c"]),
        ("skip", {"a": "succeeded", "b": "skipped", "c": "succeeded"}, ["a", "b", "c"]),
        ("fail", {"a": "succeeded", "b": "failed", "c": "skipped"}, ["a", "b"]),
    ],
)
def test_on_interrupt_ask_asks_and_does_what_is_answered(
    world: World, reply: str, states: dict[str, str], began: list[str]
) -> None:
    world.job("on_error: {notify: [chat]}\n" + THREE % ", on_interrupt: ask")
    world.on("b", forever)
    world.start()

    async def story() -> None:
        await under_way(world, "b")
        await world.kill()
        world.behaviours.clear()
        await world.engine.recovery.run_once()
        await world.settle()
        assert world.state() is RunState.WAITING
        (question,) = world.real.read(lambda tx: tx.approvals.open())
        assert (question.kind, question.choices) == ("interrupted", ("retry", "skip", "fail"))
        assert len(world.messages()) == 1
        world.answer(world.run(), "b", reply)
        await world.settle()

    asyncio.run(story())
    assert world.states() == states
    assert [b.step for b in world.began] == began


def test_a_run_that_was_taken_over_is_not_written_to_by_its_first_owner(world: World) -> None:
    world.job(TWO)
    leave = asyncio.Event()

    async def late(ctx: StepContext) -> StepResult:
        if ctx.attempt == 1:
            await leave.wait()
            return Done("of the first owner")
        return Done("of the second owner")

    world.on("b", late)
    world.start()

    async def story() -> None:
        await under_way(world, "b")
        first = world.engine
        world.engine = world.new_engine()  # a second one that takes the first for dead
        assert await world.engine.recovery.run_once() == 1
        await world.settle()
        before = world.steps()
        leave.set()
        await world.until(lambda: not first.work.active)
        assert world.steps() == before

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED
    assert world.steps()["b"].output == "of the second owner"


def test_one_run_that_cannot_be_swept_holds_up_the_recovery_of_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("j", "k"):
        world.job(f"id: {name}\n{TWO}", name)
        world.start(name)
    world.on("a", forever)

    async def story() -> None:
        await world.engine.dispatcher.run_once()
        await world.until(lambda: len(world.began) == 2)
        await world.kill()
        world.behaviours.clear()
        sweep = world.processes.sweep

        async def refuses(markers: dict[str, str]) -> int:
            if markers["ROTA_RUN_ID"] == world.run("j").id:
                raise PermissionError("no")
            return await sweep(markers)

        monkeypatch.setattr(world.processes, "sweep", refuses)
        await world.engine.recovery.run_once()

    asyncio.run(story())
    assert (world.state("j"), world.state("k")) == (RunState.RUNNING, RunState.QUEUED)


def test_a_skip_behind_a_failed_step_stays_one_when_the_run_goes_on(world: World) -> None:
    """Killed between writing that b is skipped and that c is: c must not run, since b never did."""
    world.job(THREE % "")
    world.on("a", lambda _ctx: 1 / 0)  # type: ignore[arg-type,return-value] # it raises
    world.start()

    async def story() -> None:
        from rota.engine.journal import Journal

        write = Journal._write

        async def dies_after_b(self: Journal, *args: object, **more: object) -> None:
            await write(self, *args, **more)  # type: ignore[arg-type]
            if args[0].step_id == "b":  # type: ignore[attr-defined]
                world.store.dead = True

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Journal, "_write", dies_after_b)
            await world.engine.dispatcher.run_once()
            await world.idle()
        await world.kill()
        assert world.states()["b"] == "skipped"
        await world.engine.recovery.run_once()
        await world.settle()

    asyncio.run(story())
    assert world.states() == {"a": "failed", "b": "skipped", "c": "skipped"}
    assert world.state() is RunState.FAILED
    assert [b.step for b in world.began] == ["a"]
