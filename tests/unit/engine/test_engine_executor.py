"""One run: its steps in order, their failures, retries, timeouts and conditions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from tests.support.world import World

from rota.model.errors import StepError, StoreError
from rota.model.instants import SECOND
from rota.model.run import Reason, RunState
from rota.ports.steps import Done, Failed, StepContext, StepResult, Waiting

BROKEN = Failed(Reason("exit_nonzero", "exit code 2"))


def steps(*lines: str, head: str = "") -> str:
    return head + "steps:\n" + "".join(f"  - {{{line}}}\n" for line in lines)


def run(world: World, text: str, **params: Any) -> RunState:
    """Define, start and finish a job."""
    world.job(text)
    world.start(**params)
    asyncio.run(world.pass_())
    return world.state()


async def forever(_ctx: StepContext) -> StepResult:
    await asyncio.Event().wait()
    raise AssertionError


def test_a_step_sees_what_the_ones_before_it_put_out(world: World) -> None:
    world.on("a", Done("four", {"n": 4}))
    text = steps("id: a, act: x", 'id: b, act: "{{ steps.a.output }} {{ steps.a.n }} {{ steps.a.state }}"')
    assert run(world, text) is RunState.SUCCEEDED
    assert world.began[1].text == "four 4 succeeded"
    assert world.run().outputs["output"] == "four 4 succeeded"


def test_a_template_that_cannot_be_filled_fails_the_step_at_once_and_says_why(world: World) -> None:
    text = steps('id: a, act: "{{ payload.order.id }}", retry: {attempts: 3}')
    assert run(world, text) is RunState.FAILED
    assert world.began == []
    assert world.steps()["a"].attempts == 1
    assert "order" in world.run().reason.text


def test_a_rendered_value_of_the_wrong_type_is_named(world: World) -> None:
    assert run(world, steps("id: a, act: x, count: \"{{ 5 * 'x' }}\"")) is RunState.FAILED
    assert "`count`" in world.run().reason.text


def test_steps_behind_a_failed_one_are_skipped_with_the_reason(world: World) -> None:
    world.on("a", BROKEN)
    assert run(world, steps("id: a, act: x", "id: b, act: y", "id: c, act: z")) is RunState.FAILED
    assert world.states() == {"a": "failed", "b": "skipped", "c": "skipped"}
    reason = world.steps()["b"].reason
    assert reason is not None
    assert "`a`" in reason.text
    assert world.run().reason == Reason("exit_nonzero", "step `a`: exit code 2")


def test_continue_on_error_goes_on_and_succeeds(world: World) -> None:
    world.on("a", BROKEN)
    text = steps("id: a, act: x, continue_on_error: true", 'id: b, act: "after {{ steps.a.state }}"')
    assert run(world, text) is RunState.SUCCEEDED
    assert world.began[-1].text == "after failed"


def test_branches_run_beside_each_other(world: World) -> None:
    left, right = asyncio.Event(), asyncio.Event()

    async def meet(mine: asyncio.Event, other: asyncio.Event) -> StepResult:
        mine.set()
        await asyncio.wait_for(other.wait(), 5)
        return Done()

    world.on("b", lambda _: meet(left, right))
    world.on("c", lambda _: meet(right, left))
    text = steps(
        "id: a, act: x",
        "id: b, act: x, needs: [a]",
        "id: c, act: x, needs: [a]",
        "id: d, act: x, needs: [b, c]",
    )
    assert run(world, text) is RunState.SUCCEEDED
    assert [b.step for b in world.began][-1] == "d"


def test_a_retry_waits_in_the_state_and_goes_on(world: World) -> None:
    world.on("b", [BROKEN, Done("fine")])
    text = steps("id: a, act: x", "id: b, act: y, retry: {attempts: 3, first: 60s, backoff: fixed}")
    assert run(world, text) is RunState.WAITING
    waiting = world.run()
    assert waiting.not_before is not None
    assert 30 * SECOND <= waiting.not_before - world.clock.now() <= 60 * SECOND
    assert "attempt 1 failed: exit code 2" in waiting.reason.text
    asyncio.run(world.pass_())
    assert len(world.began) == 2
    world.clock.advance(60)
    asyncio.run(world.pass_())
    assert world.state() is RunState.SUCCEEDED
    assert [(b.step, b.attempt) for b in world.began] == [("a", 1), ("b", 1), ("b", 2)]
    assert [a.state.value for a in world.attempts("b")] == ["failed", "succeeded"]


def test_the_last_attempt_ends_it(world: World) -> None:
    world.on("a", BROKEN)
    run(world, steps("id: a, act: x, retry: {attempts: 2, first: 1s}"))
    world.clock.advance(5)
    asyncio.run(world.pass_())
    assert world.state() is RunState.FAILED
    assert len(world.began) == 2


def test_a_permanent_failure_is_not_tried_again(world: World) -> None:
    def wrong(_ctx: StepContext) -> StepResult:
        raise StepError("no such program", permanent=True, hint="install it")

    world.on("a", wrong)
    assert run(world, steps("id: a, act: x, retry: {attempts: 3}")) is RunState.FAILED
    assert "no such program (hint: install it)" in world.run().reason.text
    assert len(world.began) == 1


def test_the_wait_that_the_other_side_asked_for_is_kept(world: World) -> None:
    world.on("a", [Failed(Reason("http_429", "slow down"), retry_after=900), Done()])
    run(world, steps("id: a, act: x, retry: {attempts: 3, first: 1s, max: 10s}"))
    world.clock.advance(899)
    asyncio.run(world.pass_())
    assert len(world.began) == 1
    world.clock.advance(1)
    asyncio.run(world.pass_())
    assert world.state() is RunState.SUCCEEDED


def test_a_step_that_takes_too_long_is_ended(world: World) -> None:
    ended: list[bool] = []

    async def slow(ctx: StepContext) -> StepResult:
        try:
            return await forever(ctx)
        finally:
            ended.append(True)

    world.on("a", slow)
    assert run(world, steps("id: a, act: x, timeout: 0.05s")) is RunState.FAILED
    assert ended == [True]
    assert world.run().reason.code == "timeout"


def test_a_job_that_takes_too_long_is_ended_with_all_that_is_left(world: World) -> None:
    world.on("a", forever)
    text = steps(
        "id: a, act: x, timeout: 1h, continue_on_error: true", "id: b, act: x", head="timeout: 0.1s\n"
    )
    assert run(world, text) is RunState.FAILED
    assert world.run().reason.code == "timeout"
    assert world.states() == {"a": "failed", "b": "skipped"}


def test_waiting_for_a_person_does_not_count_against_the_timeout(world: World) -> None:
    world.on("a", Waiting("prompt", "what now?", Reason("inbox", "waits in the inbox")))
    run(world, steps("id: a, act: x", "id: b, act: y", head="timeout: 10m\n"))
    world.clock.advance(3 * 86400)
    world.answer(world.run(), "a", "carry on")
    asyncio.run(world.pass_())
    assert world.state() is RunState.SUCCEEDED


def test_a_false_condition_skips_the_step_and_the_next_goes_on(world: World) -> None:
    world.on("a", Done("", {"new_items": 0}))
    text = steps("id: a, act: x", 'id: b, act: y, if: "new_items > 0"', "id: c, act: z")
    assert run(world, text) is RunState.SUCCEEDED
    assert world.states() == {"a": "succeeded", "b": "skipped", "c": "succeeded"}
    reason = world.steps()["b"].reason
    assert reason is not None
    assert "new_items > 0" in reason.text


def test_a_condition_of_a_step_that_raises_fails_it(world: World) -> None:
    assert run(world, steps('id: a, act: x, if: "payload.n > 3"')) is RunState.FAILED
    assert "`if:` failed" in world.run().reason.text


def test_the_inbox_answer_becomes_the_output_and_the_file(world: World) -> None:
    world.on("a", Waiting("prompt", "what now?", Reason("inbox", "waits in the inbox")))
    text = steps("id: a, act: x, output: now/answer.md", 'id: b, act: "{{ steps.a.output }}"')
    assert run(world, text) is RunState.WAITING
    assert world.run().not_before is None
    world.answer(world.run(), "a", "carry on")
    asyncio.run(world.pass_())
    assert world.state() is RunState.SUCCEEDED
    assert world.began[-1].text == "carry on"
    assert (world.root / "now/answer.md").read_text() == "carry on\n"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("odd"),
        SystemExit(3),
        asyncio.CancelledError(),
        TimeoutError(),
        StopIteration(),
        RecursionError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_step_kind_raises_fails_its_step_alone(world: World, error: BaseException) -> None:
    async def raises(_ctx: StepContext) -> StepResult:
        await asyncio.sleep(0)
        raise error

    def raising(ctx: StepContext) -> Awaitable[StepResult]:
        return raises(ctx)

    world.on("a", raising)
    assert run(world, steps("id: a, act: x")) is RunState.FAILED
    assert world.steps()["a"].state.value == "failed"
    world.on("a", Done())
    world.start()
    asyncio.run(world.pass_())
    assert world.state() is RunState.SUCCEEDED


@pytest.mark.parametrize(
    "result", [None, "text", Done("x", {"when": object()}), Done("x", {"n": float("nan")})]
)
def test_a_result_that_no_state_can_hold_is_a_failure_in_words(world: World, result: Any) -> None:
    world.on("a", lambda _ctx: result)
    assert run(world, steps("id: a, act: x", "id: b, act: y")) is RunState.FAILED
    assert world.run().reason.code == "bad_result"
    assert world.states() == {"a": "failed", "b": "skipped"}


def test_text_that_is_no_text_is_kept_as_far_as_it_is(world: World) -> None:
    world.on("a", Done("half \ud800 a pair"))
    assert run(world, steps("id: a, act: x, output: out.txt")) is RunState.SUCCEEDED
    assert (world.root / "out.txt").read_text() == "half ? a pair\n"


def test_an_output_file_that_leads_out_fails_the_step(world: World) -> None:
    text = steps(
        'id: a, act: x, output: "{{ params.where }}/f.txt"', head="params: {where: {default: docs}}\n"
    )
    assert run(world, text) is RunState.SUCCEEDED
    assert (world.root / "docs/f.txt").read_text() == "x\n"
    world.start(where="../..")
    asyncio.run(world.pass_())
    assert world.state() is RunState.FAILED
    assert world.run().reason.code == "output"


def test_an_output_goes_to_a_channel_once_the_run_succeeded_if_there_is_any(world: World) -> None:
    run(world, steps("id: a, act: news, output: chat", 'id: b, act: x, output: mail, if: "false"'))
    assert [(m.channel, m.body) for m in world.messages()] == [("chat", "news")]


def test_secrets_are_masked_wherever_they_are_kept(world: World) -> None:
    world.secrets.stored["TOKEN"] = "hunter2-hunter2"

    def leaks(ctx: StepContext) -> StepResult:
        ctx.log("stdout", b"the token is hunter2-hunter2\n")
        if ctx.step.id == "a":
            return Done("hunter2-hunter2", {"got": ["hunter2-hunter2"]})
        raise ValueError("hunter2-hunter2 is wrong")

    world.on("a", leaks)
    world.on("b", leaks)
    text = steps("id: a, act: x", "id: b, act: y", head="on_error: {notify: [chat]}\n")
    assert run(world, text) is RunState.FAILED
    kept = [world.run(), world.steps(), world.attempts("a"), world.attempts("b"), world.messages()]
    assert "hunter2" not in repr(kept)
    assert "***" in repr(kept)
    logs = [path.read_text() for path in (world.root / ".rota/logs").rglob("*.log")]
    assert len(logs) == 2
    assert "hunter2" not in "".join(logs)


def test_children_get_a_clean_environment_with_markers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("MY_TOOL_HOME", "/opt")
    monkeypatch.setenv("LC_ALL", "C")
    world.secrets.stored["TOKEN"] = "s3cret-value"
    world.settings(env_allow=("MY_TOOL_*",), env={"STAGE": "test"})
    head = 'env: {KEY: "${TOKEN}", WHO: "{{ params.who }}", STAGE: job}\nparams: {who: {default: Ada}}\n'
    run(world, steps("id: a, act: x, env: {STAGE: step}", head=head), who="${TOKEN}")
    env = world.began[0].env
    assert "AWS_SECRET_ACCESS_KEY" not in env
    assert env["MY_TOOL_HOME"] == "/opt"
    assert env["LC_ALL"] == "C"
    assert (env["KEY"], env["STAGE"]) == ("s3cret-value", "step")
    assert env["WHO"] == "${TOKEN}"
    assert env["ROTA_RUN_ID"] == world.run().id
    assert (env["ROTA_JOB"], env["ROTA_STEP"], env["ROTA_ATTEMPT"]) == ("j", "a", "1")
    assert env["ROTA_WORKSPACE"] == str(world.root)


def test_a_secret_that_is_not_there_is_named(world: World) -> None:
    assert run(world, steps('id: a, act: x, env: {KEY: "${NOT_THERE}"}')) is RunState.FAILED
    assert "NOT_THERE" in world.run().reason.text


def test_a_step_kind_that_is_gone_says_which_there_are(world: World) -> None:
    world.job(steps("id: a, act: x"))
    world.engine.services.steps.pop("act")  # type: ignore[attr-defined]
    world.start()
    asyncio.run(world.pass_())
    assert "no step kind `act`" in world.run().reason.text


def test_a_state_that_cannot_be_written_for_a_while_loses_no_result(world: World) -> None:
    def paid(_ctx: StepContext) -> StepResult:
        world.store.faults = [StoreError("the disk is full") for _ in range(5)]
        return Done("expensive")

    world.on("a", paid)
    assert run(world, steps("id: a, act: x", "id: b, act: y")) is RunState.SUCCEEDED
    assert [b.step for b in world.began] == ["a", "b"]
    assert world.steps()["a"].output == "expensive"


def test_an_end_that_could_not_be_written_is_taken_up_again_without_a_restart(world: World) -> None:
    world.job(steps("id: a, act: x", "id: b, act: y"))
    world.start()

    def dies(_ctx: StepContext) -> StepResult:
        world.store.dead = True
        return Done()

    async def story() -> None:
        world.on("b", dies)
        await world.pass_()
        assert world.state() is RunState.RUNNING
        world.store.dead = False
        world.on("b", Done())
        await world.settle()

    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED


def test_notices_that_cannot_be_made_change_no_outcome(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rota.engine.conclusion.notices", lambda _situation: 1 / 0)
    assert run(world, steps("id: a, act: x")) is RunState.SUCCEEDED


def test_a_failure_of_rotas_own_still_ends_the_run_and_tells(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.engine.executor.attempts, "open_log", lambda _try: 1 / 0)
    text = steps("id: a, act: x", "id: b, act: x", head="on_error: {notify: [chat]}\n")
    assert run(world, text) is RunState.FAILED
    assert world.run().reason.code == "internal"
    assert world.states() == {"a": "failed", "b": "skipped"}
    assert len(world.messages()) == 1
