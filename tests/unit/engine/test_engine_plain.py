"""Plain runs are made many at a time; what anybody sees of them is as if each had been made by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec

import pytest
from tests.support.world import World

from rota.engine.executor import Stop
from rota.model.errors import StepError
from rota.model.run import RunState

PLAIN = "on: manual\noverlap: allow\nsteps:\n  - id: s\n    quick: hello\n"
# The same, but that a template in it has to be rendered for each run.
BY_ITSELF = PLAIN.replace("hello", "\"{{ 'hello' }}\"")


P = ParamSpec("P")


def in_a_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run the coroutine to its end."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@in_a_loop
async def test_many_are_made_together(world: World) -> None:
    world.job(PLAIN)
    runs = [world.start() for _ in range(50)]
    await world.settle()
    assert [run.state for run in world.runs()] == [RunState.SUCCEEDED] * 50
    assert sorted(run for batch in world.hosts.batches for run in batch) == sorted(run.id for run in runs)
    assert len(world.hosts.batches) < 10


@in_a_loop
async def test_what_is_written_is_what_the_executor_writes(world: World) -> None:
    world.hosts.quick = lambda _call: {"n": 1, "text": "ü"}
    world.job(PLAIN, "plain")
    world.job(BY_ITSELF, "alone")
    world.start("plain"), world.start("alone")
    await world.settle()
    assert len(world.hosts.batches) == 1
    rows: list[Any] = []
    for job in ("plain", "alone"):
        run = world.run(job)
        step, attempt = world.steps(run)["s"], world.attempts("s", run)[0]
        events = world.real.read(lambda tx: tx.events.after(0, job_id=job))  # noqa: B023 # called at once
        rows.append([
            replace(run, id="", job_id="", definition="", queued_at=0, due_at=0, occurrence_key="", started_at=0, finished_at=0),
            replace(step, run_id="", started_at=0, finished_at=0),
            replace(attempt, run_id="", started_at=0, finished_at=0),
            [(event.kind, event.data.keys()) for event in events],
            world.outcomes(job),
        ])  # fmt: skip
    assert rows[0] == rows[1]
    assert world.steps(world.run("plain"))["s"].started_at == 7  # when the host began, not when it was asked


@in_a_loop
async def test_a_failure_is_retried_and_told_like_any_other(world: World) -> None:
    world.job(PLAIN + "    retry: {attempts: 2, first: 10s}\nnotify: [{type: chat, when: failed}]\n")

    def fail(_call: object) -> None:
        raise StepError("no such luck")

    world.hosts.quick = fail
    run = world.start()
    await world.pass_()
    assert world.state() is RunState.WAITING
    assert "no such luck" in world.run().reason.text
    assert (world.root / (world.attempts("s", run)[0].log or "")).read_text().startswith("a traceback\n")
    world.clock.advance(60)
    await world.settle()
    assert world.state() is RunState.FAILED
    assert [attempt.number for attempt in world.attempts("s", run)] == [1, 2]
    assert len(world.messages()) == 1


@in_a_loop
async def test_a_slow_call_holds_up_none_of_the_others(world: World) -> None:
    world.job(PLAIN)
    gate = asyncio.Event()

    async def wait() -> str:
        await gate.wait()
        return "at last"

    slow = world.start()
    world.hosts.quick = lambda call: wait() if call.env["ROTA_RUN_ID"] == slow.id else "quick"
    others = [world.start() for _ in range(5)]
    await world.engine.dispatcher.run_once()
    await world.until(lambda: [run.state for run in world.runs()].count(RunState.SUCCEEDED) == len(others))
    assert world.steps(slow)["s"].state.value == "running"
    gate.set()
    await world.idle()
    assert world.steps(slow)["s"].output == "at last"


@in_a_loop
async def test_a_large_output_is_written_by_itself(world: World) -> None:
    world.hosts.quick = lambda _call: "\0" * 100_000
    world.job(PLAIN)
    run = world.start()
    await world.settle()
    assert world.state() is RunState.SUCCEEDED
    assert world.steps(run)["s"].output == "\0" * 100_000
    world.hosts.quick = lambda _call: {"much": "x" * 100_000}
    run = world.start()
    await world.settle()
    assert world.run().outputs["values"]["said"]["much"] == "x" * 100_000


@pytest.mark.parametrize("why", list(Stop))
@in_a_loop
async def test_one_that_is_to_end_ends_alone(world: World, why: Stop) -> None:
    world.job(PLAIN)
    gate = asyncio.Event()
    slow = world.start()
    world.hosts.quick = lambda call: gate.wait() if call.env["ROTA_RUN_ID"] == slow.id else "quick"
    world.start()
    await world.engine.dispatcher.run_once()
    await world.until(lambda: len(world.engine.work.active) == 1)
    world.engine.work.stop(slow.id, why)
    await world.idle()
    states = {run.id: run.state for run in world.runs()}
    assert states.pop(slow.id) is (RunState.CANCELLED if why is Stop.CANCEL else RunState.QUEUED)
    assert list(states.values()) == [RunState.SUCCEEDED]


@in_a_loop
async def test_a_shutdown_in_the_middle_loses_nothing(world: World) -> None:
    world.job(PLAIN)
    gate = asyncio.Event()
    world.hosts.quick = lambda _call: gate.wait()
    for _ in range(9):
        world.start()
    await world.engine.dispatcher.run_once()
    await world.until(lambda: world.hosts.batches)
    await world.stop()
    assert {run.state for run in world.runs()} == {RunState.QUEUED}
    world.hosts.quick = lambda _call: "quick"
    await world.settle()
    assert {run.state for run in world.runs()} == {RunState.SUCCEEDED}


@in_a_loop
async def test_a_kill_in_the_middle_loses_nothing(world: World) -> None:
    world.job(PLAIN)
    gate = asyncio.Event()
    world.hosts.quick = lambda _call: gate.wait()
    for _ in range(9):
        world.start()
    await world.engine.dispatcher.run_once()
    await world.until(lambda: world.hosts.batches)
    await world.kill()
    world.hosts.quick = lambda _call: "quick"
    await world.engine.recovery.run_once()
    await world.settle()
    assert {run.state for run in world.runs()} == {RunState.SUCCEEDED}


@in_a_loop
async def test_whoever_follows_a_plain_run_is_called(world: World) -> None:
    world.job(PLAIN, "first")
    world.job("on: {job: first}\nsteps:\n  - act: '{{ payload.output }}'\n", "second")
    world.start("first")
    await world.settle()
    assert world.state("second") is RunState.SUCCEEDED
    assert [began.text for began in world.began] == ["hello"]


@pytest.mark.parametrize(
    "more",
    [
        "success_if: {output: hello}\n",
        "notify: [{type: chat}]\n",
        "on_recovery: {notify: true}\n",
        "timeout: 5s\n",
        "env: {A: '{{ run.id }}'}\n",
        "    if: 'true'\n",
        "    output: out/x.md\n",
        "    on_interrupt: fail\n",
        "  - act: second\n",
    ],
)
@in_a_loop
async def test_a_run_that_asks_for_more_is_made_by_itself(world: World, more: str) -> None:
    world.job(PLAIN + more)
    world.start()
    await world.settle()
    assert world.state() is RunState.SUCCEEDED
    assert not world.hosts.batches
