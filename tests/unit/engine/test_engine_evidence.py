"""`success_if:`: what a run has to show before it counts as succeeded, and what is said when it does not."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.support.world import World

from rota.engine import evidence_host
from rota.model.instants import DAY, SECOND, Micros
from rota.model.job import EVIDENCE_STEP
from rota.model.run import Reason, RunState
from rota.ports.steps import Done, Failed, StepContext, StepResult

STEP = "steps: [{id: a, act: hello}]\n"
FILE = "success_if: {file: now/plan.md%s}\n" + STEP


def written(world: World, text: str, at: Micros, path: str = "now/plan.md") -> Path:
    """A file of the workspace, as if it had been written at that instant."""
    file = world.root / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    os.utime(file, ns=(at * 1000, at * 1000))
    return file


def ended(world: World, text: str) -> tuple[str, str, str]:
    """State, reason code and reason of one run of the job."""
    world.job(text)
    world.start()
    asyncio.run(world.settle())
    run = world.run()
    return run.state.value, run.reason.code, run.reason.text


def writes(world: World, text: str, path: str = "now/plan.md") -> None:
    """Step a writes the file, a second into the run."""

    def step(_ctx: StepContext) -> StepResult:
        world.clock.advance(1)
        written(world, text, world.clock.now(), path)
        return Done("hello")

    world.on("a", step)


def test_a_file_that_the_run_wrote_is_evidence(world: World) -> None:
    writes(world, "the plan")
    assert ended(world, FILE % "")[0] == "succeeded"
    assert world.attempts(EVIDENCE_STEP)[0].state.value == "succeeded"


@pytest.mark.parametrize(
    ("content", "more", "words"),
    [
        (None, "", "success_if: now/plan.md is not there"),
        ("", "", "success_if: now/plan.md is empty"),
        ("short", ", min_size: 1KB", "success_if: now/plan.md has 5 bytes, fewer than 1000"),
        ("the plan", ', contains: "^# Plan"', "success_if: now/plan.md does not match '^# Plan'"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(
    world: World, content: str | None, more: str, words: str
) -> None:
    if content is not None:
        writes(world, content)
    assert ended(world, FILE % more) == ("failed", "unverified", words)


def test_an_old_file_proves_nothing_and_its_age_is_said(world: World) -> None:
    written(world, "last week's plan", world.clock.now() - 3 * DAY)
    said = "success_if: now/plan.md was last written 3 days ago, before the run"
    assert ended(world, FILE % "") == ("failed", "unverified", said)
    assert world.states() == {"a": "succeeded", EVIDENCE_STEP: "failed"}


def test_what_another_process_wrote_just_before_the_run_is_too_old(world: World) -> None:
    written(world, "x", world.clock.now() + SECOND // 2)  # `start` begins the run a second from now
    assert "before the run" in ended(world, FILE % "")[2]


def test_a_matching_large_enough_file_whose_name_is_a_template(world: World) -> None:
    writes(world, "intro\n# Plan\n", "now/2026-11-18.md")
    text = "success_if: {file: 'now/{{ today }}.md', min_size: 10, contains: ^# Plan$}\n" + STEP
    assert ended(world, text)[0] == "succeeded"


def test_a_folder_and_a_path_that_leads_out_are_no_evidence(world: World) -> None:
    (world.root / "now" / "plan.md").mkdir(parents=True)
    assert ended(world, FILE % "")[2] == "success_if: now/plan.md is no file"
    assert "leads out of the workspace" in ended(world, "success_if: ../plan.md\n" + STEP)[2]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("{output: 'ready: \\d+'}", None),
        ("{output: ^done$}", "the output of step `b` does not match '^done$': it begins 'ready: 3'"),
        ("{output: first, step: a}", None),
        ("{output: x, step: c}", "step `c` has put out nothing: it is skipped"),
    ],
)
def test_outputs_of_the_last_step_that_ran_or_of_another(world: World, item: str, said: str | None) -> None:
    steps = "steps: [{id: a, act: first}, {id: b, act: 'ready: 3'}, {id: c, act: x, if: false}]\n"
    state, _, reason = ended(world, f"success_if: {item}\n{steps}")
    assert (state, reason) == (
        ("failed", f"success_if: {said}") if said else ("succeeded", "every step is done")
    )


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ('{"items": [1, 2]}', None),
        ('{"items": [1, "two"]}', "does not meet the schema: `items[1]`: 'two' is not of type 'integer'"),
        ("{}", "does not meet the schema: 'items' is a required property"),
        ("Here is your plan!", "is no JSON (Expecting value: line 1 column 1 (char 0))"),
    ],
)
@pytest.mark.parametrize("inline", [True, False])
def test_the_output_has_to_meet_a_schema(world: World, output: str, said: str | None, inline: bool) -> None:
    schema = (
        '{"type": "object", "required": ["items"], "properties": {"items": {"items": {"type": "integer"}}}}'
    )
    (world.root / "plan.schema.json").write_text(schema)
    world.on("a", Done(output))
    state, _, reason = ended(
        world, f"success_if: {{schema: {schema if inline else 'plan.schema.json'}}}\n{STEP}"
    )
    assert state == ("failed" if said else "succeeded")
    assert said is None or reason == f"success_if: the output of step `a` {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot be read"), ("{", "cannot be read"), ('{"type": "nope"}', "is not valid")],
)
def test_a_schema_file_that_cannot_be_used_proves_nothing(world: World, text: str | None, said: str) -> None:
    if text is not None:
        (world.root / "s.json").write_text(text)
    assert said in ended(world, "success_if: {schema: s.json}\n" + STEP)[2]


def test_every_item_is_looked_at_and_the_first_that_is_missing_is_named(world: World) -> None:
    text = "success_if: [{output: hell}, missing.md, {output: nope}]\n" + STEP
    assert ended(world, text)[2] == "success_if: missing.md is not there (2 of 3 are missing)"
    (attempt,) = world.attempts(EVIDENCE_STEP)
    assert attempt.log is not None
    assert (world.root / attempt.log).read_text().splitlines() == [
        "[rota] found: the output of step `a` matches 'hell'",
        "[rota] missing: missing.md is not there",
        "[rota] missing: the output of step `a` does not match 'nope': it begins 'hello'",
    ]


def test_after_a_failed_step_nothing_is_looked_at(world: World) -> None:
    world.on("a", Failed(Reason("exit_nonzero", "exit code 2")))
    assert ended(world, FILE % "")[1] == "exit_nonzero"
    assert world.attempts(EVIDENCE_STEP) == []


def test_a_check_that_raises_fails_the_run_and_nothing_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(text: str, pattern: str) -> bool:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(evidence_host, "matches", broken)
    broken.__name__ = "matches"
    text = "success_if: [{output: x}, missing.md]\n" + STEP
    assert ended(world, text)[2].startswith(
        "success_if: output that matches 'x': ZeroDivisionError: oh (2 of 2"
    )
    world.job(STEP)
    world.start()
    asyncio.run(world.settle())
    assert world.state() is RunState.SUCCEEDED


def test_a_kill_in_the_check_leads_to_the_check_again_and_repeats_no_step(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes(world, "the plan")
    world.job("success_if: [now/plan.md, {output: hello}]\n" + STEP)
    world.start()
    real = world.hosts.call
    entered = asyncio.Event()

    async def hangs(*_: object) -> object:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def story() -> None:
        monkeypatch.setattr(world.hosts, "call", hangs)
        await world.engine.dispatcher.run_once()
        await world.until(entered.is_set)
        await world.kill()
        monkeypatch.setattr(world.hosts, "call", real)
        await world.engine.recovery.run_once()
        await world.settle()

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED
    assert [began.step for began in world.began] == ["a"]
    assert [a.state.value for a in world.attempts(EVIDENCE_STEP)] == ["interrupted", "succeeded"]


def test_the_timeout_of_the_run_ends_the_check_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(*_: object) -> object:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(world.hosts, "call", hangs)
    state, code, _ = ended(world, "timeout: 50ms\nsuccess_if: {output: hello}\n" + STEP)
    assert (state, code) == ("failed", "timeout")
    assert world.attempts(EVIDENCE_STEP)[0].state.value == "interrupted"
