"""`if_changed:` skips a step whose inputs are as they were when it last succeeded; what it put out then stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.support.world import World

from rota.model.run import Reason, RunState
from rota.ports.steps import Done, Failed

STEP = "schedule: manual\nsteps:\n  - {id: a, act: x, if_changed: 'data/*.csv'}\n"


@pytest.fixture(autouse=True)
def data(world: World) -> None:
    put(world, "data/a.csv", "1")


def put(world: World, path: str, text: str) -> None:
    (world.root / path).parent.mkdir(exist_ok=True)
    (world.root / path).write_text(text)


def run(world: World, **params: Any) -> dict[str, str]:
    """One run by hand; the states of its steps."""
    world.start(**params)
    asyncio.run(world.settle())
    return world.states()


def test_files_count_by_their_content(world: World) -> None:
    world.job(STEP)
    assert run(world) == {"a": "succeeded"}
    assert run(world) == {"a": "skipped"}
    assert world.state() is RunState.SUCCEEDED
    reason = world.steps()["a"].reason
    assert reason is not None
    assert (reason.code, reason.text) == (
        "unchanged",
        f"what it works on is as it was when it last succeeded (run {world.runs()[1].id})",
    )
    put(world, "data/a.csv", "1")  # written again, the same
    put(world, "other.csv", "not meant")
    assert run(world) == {"a": "skipped"}
    put(world, "data/a.csv", "2")
    assert run(world) == {"a": "succeeded"}
    put(world, "data/b.csv", "3")
    assert run(world) == {"a": "succeeded"}
    (world.root / "data/b.csv").unlink()
    assert run(world) == {"a": "succeeded"}
    assert run(world) == {"a": "skipped"}


def test_only_a_success_counts(world: World) -> None:
    world.job(STEP)
    world.on("a", [Failed(Reason("error", "no")), Done("")])
    assert run(world) == {"a": "failed"}
    assert run(world) == {"a": "succeeded"}
    assert run(world) == {"a": "skipped"}


def test_a_step_that_says_something_else_runs(world: World) -> None:
    world.job(STEP)
    run(world)
    world.job(STEP.replace("act: x", "act: y"))
    assert run(world) == {"a": "succeeded"}


def test_a_value_of_an_earlier_step_counts(world: World) -> None:
    world.job(
        "params: {day: {default: monday}}\nschedule: manual\nsteps:\n"
        "  - {id: a, act: '{{ params.day }}'}\n"
        "  - {id: b, act: y, if_changed: '{{ steps.a.output }}'}\n"
    )
    assert run(world)["b"] == "succeeded"
    assert run(world)["b"] == "skipped"
    assert run(world, day="tuesday")["b"] == "succeeded"


def test_true_is_for_the_steps_own_rendered_keys(world: World) -> None:
    world.job(
        "params: {day: {default: monday}}\nschedule: manual\nsteps: [{id: a, act: '{{ params.day }}', if_changed: true}]\n"
    )
    assert run(world) == {"a": "succeeded"}
    assert run(world) == {"a": "skipped"}
    assert run(world, day="tuesday") == {"a": "succeeded"}


def test_what_a_skipped_step_put_out_is_still_there_for_the_others(world: World) -> None:
    world.job(
        "schedule: manual\nsteps:\n"
        "  - {id: a, act: x, if_changed: 'data/*.csv'}\n"
        "  - {id: b, act: '{{ steps.a.output }} {{ steps.a.values.count }}', if_changed: '{{ steps.a.output }}'}\n"
        "  - {id: c, act: '{{ steps.b.output }}'}\n"
        "notify: [{type: chat, condition: count > 2, message: '{{ count }}'}]\n"
    )
    world.on("a", Done("a report", {"count": 3}))
    run(world)
    assert run(world) == {"a": "skipped", "b": "skipped", "c": "succeeded"}
    assert [began.text for began in world.began if began.step == "c"] == ["a report 3"] * 2
    assert [message.body for message in world.messages()] == ["3", "3"]


def test_a_file_that_it_wrote_and_that_is_gone_is_written_again(world: World) -> None:
    world.job(STEP.replace("act: x", "act: x, output: out.md"))
    run(world)
    assert run(world) == {"a": "skipped"}
    (world.root / "out.md").unlink()
    assert run(world) == {"a": "succeeded"}
    assert (world.root / "out.md").is_file()


def test_a_crash_before_the_success_is_stored_repeats_the_step(world: World) -> None:
    world.job(STEP)
    world.start()

    def die(_ctx: object) -> Done:
        world.store.dead = True
        return Done("")

    world.on("a", die)

    async def work() -> None:
        await world.engine.dispatcher.run_once()
        await world.until(lambda: world.began)
        await world.kill()
        world.on("a", Done(""))
        await world.engine.recovery.run_once()
        await world.settle()

    asyncio.run(work())
    assert len(world.began) == 2
    assert world.states() == {"a": "succeeded"}
    assert run(world) == {"a": "skipped"}


@pytest.mark.parametrize(
    ("entry", "words"),
    [("'{{ params.where }}/*.csv'", "leads out of the workspace"), ("'{{ params.nothing }}'", "nothing")],
)
def test_inputs_that_cannot_be_told_fail_the_step(world: World, entry: str, words: str) -> None:
    world.job(
        f"params: {{where: {{default: '../other'}}}}\nschedule: manual\nsteps: [{{id: a, act: x, if_changed: {entry}}}]\n"
    )
    assert run(world) == {"a": "failed"}
    reason = world.steps()["a"].reason
    assert reason is not None
    assert "`if_changed:` failed" in reason.text
    assert words in reason.text
