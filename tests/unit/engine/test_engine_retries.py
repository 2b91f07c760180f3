"""What is tried again: steps by the kind of their failure, and whole runs (`retry_run:`)."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import World

from rota.model.run import Reason, Run, RunState
from rota.ports.steps import Done, Failed, StepResult

STEP = "steps: [{id: a, act: hello}]\n"
EXIT = Failed(Reason("exit_nonzero", "exit code 3"), exit_code=3)
TIMEOUT = Failed(Reason("timeout", "timed out after 1 s"))
BUSY = Failed(Reason("http_status", "503"), values={"status": 503})
WRONG = Failed(Reason("bad_value", "not that"), retry=False)


def gives(world: World, *results: StepResult) -> None:
    """Step a takes a second, and gives one result after the other; the last one for ever."""
    left = list(results)

    def step(_ctx: object) -> StepResult:
        world.clock.advance(1)
        return left.pop(0) if len(left) > 1 else left[0]

    world.on("a", step)


def tries(world: World, retry: str, *results: StepResult) -> int:
    """How often step a is tried."""
    world.job(f"retry: {retry}\n{STEP}")
    gives(world, *results, Done())
    world.start()
    asyncio.run(through(world))
    return len(world.attempts("a"))


async def through(world: World) -> None:
    """Until nothing waits any more; waits pass in no time."""
    await world.settle()
    while any(run.not_before is not None for run in world.runs() if run.state is RunState.WAITING):
        world.clock.advance(3600)
        await world.settle()


def runs(world: World, text: str, *results: StepResult) -> list[Run]:
    """The runs that one run by hand leads to, oldest first."""
    world.job(text)
    gives(world, *results, Done("hello"))
    world.start()
    asyncio.run(through(world))
    return world.runs()[::-1]


@pytest.mark.parametrize(
    ("retry", "result", "count"),
    [
        ("{attempts: 3}", EXIT, 2),
        ("{on: any}", EXIT, 2),
        ("{on: [3]}", EXIT, 2),
        ("{on: [4]}", EXIT, 1),
        ("{on: exit}", EXIT, 2),
        ("{on: [timeout, 5xx]}", EXIT, 1),
        ("{on: [timeout, 5xx]}", TIMEOUT, 2),
        ("{on: [timeout, 5xx]}", BUSY, 2),
        ("{not_on: [503]}", BUSY, 1),
        ("{not_on: exit}", TIMEOUT, 2),
        ("{on: [any]}", WRONG, 1),
    ],
)
def test_a_step_is_tried_again_for_the_failures_that_are_named(
    world: World, retry: str, result: StepResult, count: int
) -> None:
    assert tries(world, retry, result) == count


def test_an_absurd_retry_after_does_not_break_the_run(world: World) -> None:
    far = Failed(Reason("http_status", "429"), retry_after=float("9" * 400), values={"status": 429})
    world.job("retry: true\n" + STEP)
    gives(world, far, Done())
    world.start()
    asyncio.run(world.settle())
    assert world.run().reason.code == "retry"


RERUN = "retry_run: {attempts: 3, first: 10s}\n"


def test_a_failed_run_is_made_again_with_the_same_inputs(world: World) -> None:
    world.job("params: {who: {default: nobody}}\n" + RERUN + "steps: [{id: a, act: '{{ params.who }}'}]\n")
    gives(world, EXIT, EXIT, Done())
    first = world.start(who="Ann")
    asyncio.run(through(world))
    runs = world.runs()[::-1]
    assert [run.state.value for run in runs] == ["failed", "failed", "succeeded"]
    assert [began.text for began in world.began] == ["Ann"] * 3
    assert [run.definition for run in runs] == [first.definition] * 3
    assert [(row.trigger_id, row.key) for row in world.ledger()[1:]] == [
        ("retry", f"{first.id}#2"),
        ("retry", f"{first.id}#3"),
    ]
    said = [row.reason.text for row in world.ledger()[1:]]
    assert said == [
        f"attempt {n} of 3 after run {run.id} failed (step `a`: exit code 3)"
        for n, run in zip((2, 3), runs, strict=False)
    ]


def test_the_wait_is_in_the_store(world: World) -> None:
    world.job(RERUN + STEP)
    gives(world, EXIT, Done())
    world.start()

    async def story() -> None:
        await world.settle()
        waiting = world.run()
        failed_at = world.runs()[1].finished_at
        assert failed_at is not None
        assert (waiting.state, waiting.reason.code) == (RunState.WAITING, "retry")
        assert waiting.not_before is not None
        assert 5 <= (waiting.not_before - failed_at) / 1e6 <= 10
        await world.kill()
        await world.settle()
        assert len(world.began) == 1, "its time has not come"
        world.clock.advance(10)
        await world.settle()

    asyncio.run(story())
    assert [run.state.value for run in world.runs()] == ["succeeded", "failed"]


def test_attempts_are_bounded(world: World) -> None:
    assert len(runs(world, RERUN + STEP, *[EXIT] * 9)) == 3


@pytest.mark.parametrize(
    ("more", "result", "count"),
    [
        ("on: [3]", EXIT, 2),
        ("on: [4]", EXIT, 1),
        ("on: 5xx", BUSY, 2),
        ("not_on: timeout", TIMEOUT, 1),
        ("on: any", WRONG, 1),
        ("on: any", Failed(Reason("http_status", "404"), retry=False, values={"status": 404}), 1),
    ],
)
def test_a_run_is_made_again_for_the_failures_that_are_named(
    world: World, more: str, result: StepResult, count: int
) -> None:
    assert len(runs(world, f"retry_run: {{attempts: 2, {more}}}\n{STEP}", result)) == count


def test_missing_evidence_leads_to_another_run(world: World) -> None:
    text = "retry_run: {attempts: 2, on: unverified}\nsuccess_if: {output: hello}\n" + STEP
    assert [run.reason.code for run in runs(world, text, Done("nothing"))] == ["unverified", "done"]


def test_what_somebody_decided_not_to_repeat_is_not_repeated(world: World) -> None:
    world.job(RERUN + "steps: [{id: a, act: x, on_interrupt: fail}]\n")
    world.on("a", lambda _ctx: asyncio.Event().wait())  # type: ignore[arg-type, return-value] # it hangs
    world.start()

    async def story() -> None:
        await world.engine.dispatcher.run_once()
        await world.until(lambda: world.began)
        await world.kill()
        await world.engine.recovery.run_once()
        await through(world)

    asyncio.run(story())
    assert [run.reason.code for run in world.runs()] == ["interrupted"]


def test_only_the_last_attempt_is_told_of_and_followed(world: World) -> None:
    world.job("on: [{job: j, when: finished}]\nsteps: [{id: f, act: x}]\n", "f")
    text = "notify: [{type: chat, when: finished}, {type: mail, when: failed}]\n" + RERUN + STEP
    last = runs(world, text, EXIT, EXIT, EXIT)[-1]
    assert sorted((m.channel, m.run_id) for m in world.messages()) == [("chat", last.id), ("mail", last.id)]
    assert [run.inputs["payload"]["run"] for run in world.runs("f")] == [last.id]


def test_a_success_after_all_is_no_recovery_since_no_failure_was_told(world: World) -> None:
    text = "on_recovery: {notify: [mail]}\non_error: {notify: [chat]}\n" + RERUN + STEP
    runs(world, text, EXIT)
    assert world.messages() == []
    gives(world, EXIT, EXIT, EXIT, Done())
    for _ in range(2):
        world.start()
        asyncio.run(through(world))
    assert [m.channel for m in world.messages()] == ["chat", "mail"]


def test_all_attempts_at_one_occurrence_count_as_one_failure(world: World) -> None:
    world.settings(max_failures=2)
    runs(world, RERUN + STEP, *[EXIT] * 9)
    record = world.record()
    assert record is not None
    assert record.paused_at is None
    gives(world, EXIT)
    world.start()
    asyncio.run(through(world))
    record = world.record()
    assert record is not None
    assert record.paused_at is not None


@pytest.mark.parametrize(("overlap", "second"), [("skip", "skipped"), ("queue", "ran"), ("allow", "ran")])
def test_overlap_does_not_drop_an_attempt(world: World, overlap: str, second: str) -> None:
    world.job(
        f"schedule: every 1h\noverlap: {overlap}\nretry_run: {{attempts: 2, first: 90m, max: 90m}}\n{STEP}"
    )
    gives(world, EXIT, Done())

    async def story() -> None:
        await world.settle()
        for _ in range(3):
            world.clock.advance(3600)
            await world.settle()

    asyncio.run(story())
    outcomes = [row.outcome.value for row in world.ledger() if row.trigger_id == "every"]
    assert outcomes[:2] == ["ran", second]
    retried = next(run for run in world.runs() if run.trigger_id == "retry")
    assert retried.state is RunState.SUCCEEDED


@pytest.mark.parametrize("how", ["pause", "disable", "remove"])
def test_the_attempt_of_a_job_that_was_put_to_rest_is_not_made(world: World, how: str) -> None:
    world.job(RERUN + STEP)
    gives(world, EXIT)
    world.start()

    async def story() -> None:
        await world.settle()
        if how == "pause":
            world.pause()
        elif how == "remove":
            world.remove()
        else:
            world.job("enabled: false\n" + RERUN + STEP)
        world.clock.advance(60)
        await world.settle()

    asyncio.run(story())
    again = world.run()
    assert (again.state, len(world.began)) == (RunState.CANCELLED, 1)
    row = world.ledger()[-1]
    assert (row.trigger_id, row.outcome.value, row.reason.code) == (
        "retry",
        "skipped",
        f"{how.rstrip('e')}ed",
    )


def test_a_run_that_fails_while_its_job_is_paused_is_the_last_and_is_told_of(world: World) -> None:
    def paused_meanwhile(_ctx: object) -> StepResult:
        world.pause()
        return EXIT

    world.job("on_error: {notify: [chat]}\n" + RERUN + STEP)
    world.on("a", paused_meanwhile)
    world.start()
    asyncio.run(through(world))
    assert len(world.runs()) == 1
    assert len(world.messages()) == 1
    row = world.ledger()[-1]
    assert (row.outcome.value, row.reason.code) == ("skipped", "paused")
    assert row.reason.text.startswith("the job was paused: no attempt 2 of 3 after run")


def test_a_cancelled_run_is_not_made_again(world: World) -> None:
    world.job(RERUN + STEP)
    gives(world, EXIT)
    world.start()

    async def story() -> None:
        await world.settle()
        run = world.run()
        world.real.write_now(lambda tx: tx.runs.request_cancel(run.id, Reason("cancelled", "by hand")))
        world.clock.advance(60)
        await world.settle()

    asyncio.run(story())
    assert [run.state.value for run in world.runs()] == ["cancelled", "failed"]


def test_an_attempt_waits_for_the_window(world: World) -> None:
    # The world begins on a Wednesday at 11:06:40.
    world.job("window: [00:00-11:07, 15:00-16:00]\nretry_run: {attempts: 2, first: 1h, max: 1h}\n" + STEP)
    gives(world, EXIT, Done())
    world.start()
    asyncio.run(world.settle())
    assert (world.run().reason.code, "15:00" in world.run().reason.text) == ("window", True)
