"""Budgets as their owner meets them: what runs, what ends, what is said, what is paused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.paying import PayingRunner
from tests.support.world import World

from rota.model.agent import Caps
from rota.model.budget import Budget, OnOver
from rota.model.message import Message
from rota.model.run import RunState
from rota.model.spend import Used
from rota.ports.agents import AgentRequest, AgentResult
from rota.ports.steps import StepContext
from rota.runners.inbox import InboxRunner

# In seconds, as clocks are advanced.
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.runners["paying"] = PayingRunner()
    yield world
    world.close()


def asked(world: World) -> int:
    runner = world.runners["paying"]
    assert isinstance(runner, PayingRunner)
    return runner.asked


def prompt(responses: int = 1, **more: object) -> str:
    return json.dumps(json.dumps({"responses": responses, **more}))


def job(world: World, keys: str = "", responses: int = 1, name: str = "j", **more: object) -> None:
    text = f"{keys}\nsteps: [{{id: a, agent: {prompt(responses, **more)}, model: gpt-5}}]\n"
    world.job(text, name)


def used(world: World, run_id: str) -> Used:
    return world.real.read(lambda tx: tx.spend.of_run(run_id))


def settle(world: World, job_id: str = "j") -> str:
    """Run it; how it ended, and why."""
    run = world.start(job_id)
    asyncio.run(world.settle())
    ended = next(one for one in world.runs(job_id) if one.id == run.id)
    return f"{ended.state.value}: {ended.reason.code}: {ended.reason.text}"


def told(world: World) -> list[Message]:
    return [message for message in world.messages() if "budget" in message.key]


def test_what_was_taken_is_counted_in_tokens_turns_and_dollars(world: World) -> None:
    job(world, responses=3)
    assert settle(world).startswith("succeeded")
    taken = used(world, world.run().id)
    assert (round(taken.usd, 9), taken.tokens, taken.turns) == (0.3, 30_000, 3)
    (step,) = world.steps().values()
    assert round(step.values["usd"], 9) == 0.3


@pytest.mark.parametrize(
    ("budget", "responses", "words"),
    [
        ("{usd: 0.25}", 3, "the job's budget of a run, $0.25, is used up ($0.30 by now)"),
        ("{tokens: 15000}", 2, "the job's budget of a run, 15,000 tokens, is used up (20,000 tokens by now)"),
        ("{turns: 1}", 1, "the job's budget of a run, 1 turn, is used up (1 turn by now)"),
        (
            "{usd: 0.1, per: day}",
            1,
            "the job's budget of a day, $0.10, is used up ($0.10 by now); the next begins",
        ),
    ],
)
def test_a_run_ends_at_its_cap_and_says_which(world: World, budget: str, responses: int, words: str) -> None:
    job(world, f"budget: {budget}", responses=9)
    said = settle(world)
    assert said.startswith("failed: budget: step `a`: ")
    assert words in said
    assert asked(world) == responses, "nothing was asked for beyond the response that reached the cap"


def test_a_failed_budget_is_not_tried_again(world: World) -> None:
    job(world, "budget: {turns: 2}\nretry: {attempts: 3, first: 1s}\nretry_run: {attempts: 2}", responses=9)
    settle(world)
    assert len(world.runs()) == 1
    assert asked(world) == 2


def test_a_responses_key_is_its_own_runs(world: World) -> None:
    job(world, responses=3, key="same")
    settle(world)
    assert used(world, world.run().id).turns == 3
    job(world, responses=3, key="same", name="other")
    settle(world, "other")
    assert used(world, world.run("other").id).turns == 3, "another run has its own"


def test_a_budget_that_is_used_up_lets_nothing_begin_until_its_day_is_over(world: World) -> None:
    job(world, "timezone: Europe/London\nbudget: {usd: 0.2, per: day}", responses=9)
    assert "used up" in settle(world)
    assert asked(world) == 2
    said = settle(world)
    assert said.startswith("failed: budget: ")
    assert asked(world) == 2, "the second run asked for nothing"
    world.clock.advance(DAY)
    settle(world)
    assert asked(world) == 4


def test_occurrences_are_refused_before_anything_starts_and_why_says_so(world: World) -> None:
    job(world, "schedule: every 1h\nbudget: {usd: 0.2, per: day}", responses=9)
    for _ in range(3):
        world.clock.advance(HOUR)
        asyncio.run(world.settle())
    assert world.outcomes() == [("ran", "on_time"), ("skipped", "budget"), ("skipped", "budget")]
    assert world.ledger()[-1].reason.text.startswith(
        "the job's budget of a day, $0.20, is used up ($0.20 by now); the"
    )
    assert asked(world) == 2
    world.clock.advance(DAY)
    asyncio.run(world.settle())
    assert world.outcomes()[-1][0] == "ran"


def test_the_budget_of_the_workspace_is_everybodys_but_of_those_that_cost_nothing(world: World) -> None:
    world.settings(budget=Budget(day=Caps(usd=0.2)))
    job(world, "schedule: every 1h", responses=9)
    job(world, "schedule: every 1h", responses=9, name="other")
    world.job("schedule: every 1h\nsteps: [{id: b, act: x}]\n", "free")
    for _ in range(2):
        world.clock.advance(HOUR)
        asyncio.run(world.settle())
    assert {world.outcomes(name)[-1] for name in ("j", "other")} == {("skipped", "budget")}
    assert [outcome for outcome, _ in world.outcomes("free")] == ["ran", "ran"]
    assert asked(world) <= 3, "at most one response of each beyond the cap"


def test_one_message_for_each_budget_and_span(world: World) -> None:
    job(world, "notify: [chat]\nbudget: {usd: 0.2, per: day}", responses=9)
    for _ in range(3):
        settle(world)
    (message,) = told(world)
    assert message.title == "j: budget"
    for words in (
        "The job's budget of a day, $0.20, is used up ($0.20 by now)",
        "`j` does not start",
        "rota spend",
    ):
        assert words in message.body
    assert [m for m in world.messages() if "failed" in m.key] == [], "and no other about the same"
    world.clock.advance(DAY)
    settle(world)
    assert len(told(world)) == 2


def test_each_run_that_comes_to_its_own_cap_is_told_of(world: World) -> None:
    job(world, "notify: [chat]\nbudget: {turns: 1}", responses=9)
    for _ in range(2):
        settle(world)
    assert len({message.key for message in told(world)}) == 2


def test_on_over_pause_pauses_the_job_until_a_person_resumes_it(world: World) -> None:
    job(world, "schedule: every 1h\nnotify: [chat]\nbudget: {turns: 1, on_over: pause}", responses=9)
    world.clock.advance(HOUR)
    asyncio.run(world.settle())
    record = world.record()
    assert record is not None
    assert record.status == "paused"
    assert record.paused_reason == "the job's budget of a run, 1 turn, is used up (1 turn by now)"
    (message,) = told(world)
    assert "`j` is paused. Go on with: rota resume j" in message.body
    world.clock.advance(2 * DAY)
    asyncio.run(world.settle())
    assert asked(world) == 1


def test_the_workspace_pauses_each_job_that_comes_to_its_cap(world: World) -> None:
    world.settings(budget=Budget(month=Caps(turns=1), on_over=OnOver.PAUSE))
    job(world, responses=9)
    job(world, name="other")
    settle(world)
    settle(world, "other")
    assert [getattr(world.record(name), "status", None) for name in ("j", "other")] == ["paused", "paused"]


def test_a_last_answer_that_was_just_within_a_runs_cap_is_no_failure(world: World) -> None:
    job(world, "notify: [chat]\nbudget: {turns: 2, on_over: pause}", responses=1)
    assert settle(world).startswith("succeeded")
    assert told(world) == []


def test_what_a_step_usually_takes_has_to_be_left(world: World) -> None:
    job(world, responses=4)
    settle(world)
    job(world, "budget: {usd: 0.7, per: day}", responses=4)
    said = settle(world)
    assert said.startswith("failed: budget: ")
    assert "does not suffice: $0.40 is used, and this usually takes $0.40" in said
    assert asked(world) == 4
    world.clock.advance(DAY)
    assert settle(world).startswith("succeeded"), "a new day lets it begin, whatever is usual"


def test_another_try_is_expected_to_take_what_the_first_one_left(world: World) -> None:
    job(world, responses=4)
    settle(world)
    job(world, "budget: {turns: 6}\nretry: {attempts: 2, first: 1s}", responses=4, breaks=3)
    assert settle(world).startswith("waiting: retry: ")
    world.clock.advance(MINUTE)
    asyncio.run(world.settle())
    assert "6 turns, is used up (6 turns by now)" in world.run().reason.text
    assert asked(world) == 4 + 6


def test_a_run_that_was_not_begun_for_want_of_budget_is_told_of_as_such(world: World) -> None:
    job(world, responses=4)
    settle(world)
    world.settings(budget=Budget(day=Caps(usd=0.7)))
    job(world, "notify: [chat]", responses=4)
    for _ in range(2):
        settle(world)
    (message,) = told(world)
    assert "does not suffice" in message.body
    assert "did not ask an agent" in message.body


def test_a_model_without_a_price_runs_under_a_cap_of_tokens_alone(world: World) -> None:
    world.job('steps: [{id: a, agent: "{}", model: homemade-1}]\nbudget: {usd: 1}\n')
    assert "the model `homemade-1` has no price, and no cap in tokens or turns holds" in settle(world)
    assert asked(world) == 0
    keys = f"agent: {prompt(9, model='homemade-1')}, model: homemade-1"
    world.job(f"steps: [{{id: a, {keys}}}]\nbudget: {{usd: 1, tokens: 20000}}\n")
    assert "20,000 tokens, is used up" in settle(world)
    taken = used(world, world.run().id)
    assert (taken.usd, taken.unpriced) == (0.0, 2)


def test_a_client_that_chose_a_model_without_a_price_ends_after_its_first_response(world: World) -> None:
    world.job(f"steps: [{{id: a, agent: {prompt(9, model='homemade-1')}}}]\nbudget: {{usd: 1}}\n")
    assert "has no price" in settle(world)
    assert asked(world) == 1


def test_an_alias_costs_what_the_model_costs_that_the_client_made_of_it(world: World) -> None:
    for name in ("clever", "clever[1m]"):
        world.job(f"steps: [{{id: a, agent: {prompt(1)}, model: '{name}'}}]\nbudget: {{usd: 1}}\n")
        assert settle(world).startswith("succeeded")
        assert used(world, world.run().id).usd == pytest.approx(0.10)


def test_own_prices_go_before_the_table(world: World) -> None:
    (world.root / ".rota" / "prices.yaml").write_text(
        "homemade-*: {input: 0, output: 5}\n'*': {input: 0, output: 0}\n"
    )
    world.job(f"steps: [{{id: a, agent: {prompt(1, model='homemade-1')}, model: homemade-1}}]\n")
    assert settle(world).startswith("succeeded")
    assert used(world, world.run().id).usd == pytest.approx(0.05)
    (world.root / ".rota" / "prices.yaml").write_text("homemade-*:\n  input: none\n  output: 5\n")
    said = settle(world)
    assert "bad_prices" in said
    assert ".rota/prices.yaml:2: `homemade-*.input`" in said


def test_minutes_end_a_step_that_asks_for_nothing(world: World) -> None:
    job(world, "budget: {minutes: 0.001}", responses=2, pause=5)
    said = settle(world)
    assert said.startswith("failed: budget: ")
    assert "minutes that its budget had left are used up" in said


def test_minutes_of_a_day_add_up_over_runs(world: World) -> None:
    async def think() -> None:
        world.clock.advance(20 * MINUTE)

    runner = world.runners["paying"]
    assert isinstance(runner, PayingRunner)
    runner.between = think
    job(world, "budget: {minutes: 80, per: day}", responses=2)
    assert settle(world).startswith("succeeded")
    assert "80 min, is used up (80 min by now)" in settle(world)


def test_a_dead_owners_account_sets_nothing_aside_and_its_responses_count(world: World) -> None:
    world.job(
        "budget: {usd: 0.5, per: day}\nsteps: [{id: a, on_interrupt: retry, model: gpt-5, "
        f"agent: {prompt(2, key='once')}}}]\n"
    )
    runner = world.runners["paying"]
    assert isinstance(runner, PayingRunner)
    hangs = asyncio.Event()
    here = 0

    async def hang() -> None:
        nonlocal here
        here += 1
        if here == 2:
            await hangs.wait()

    async def die_and_go_on() -> None:
        runner.between = hang
        await world.engine.dispatcher.run_once()
        await world.until(lambda: here == 2)
        await world.kill()
        world.clock.advance(MINUTE)
        await world.engine.recovery.run_once()
        await world.settle()

    run = world.start()
    asyncio.run(die_and_go_on())
    assert world.run().state is RunState.SUCCEEDED
    assert used(world, run.id).turns == 2, "the response that was told before and after the death counts once"
    assert world.real.read(lambda tx: tx.spend.left_open(run.id)) == []


@pytest.mark.parametrize(
    ("keys", "passes"),
    [
        ("act: x", 1),
        (f"agent: {prompt()}, if: 1 > 2", 1),
        (f"agent: {prompt()}, if_changed: ['{{{{ params.x }}}}']", 2),
        (f"agent: {prompt()}, runner: inbox", 1),
    ],
)
def test_what_asks_no_model_opens_no_account(world: World, keys: str, passes: int) -> None:
    """A step of another kind; a condition that is false; inputs that are as they were; a prompt for a person."""
    world.runners["inbox"] = InboxRunner()
    world.job(f"params: {{x: {{default: one}}}}\nsteps: [{{id: a, {keys}}}]\n")
    for _ in range(passes):
        settle(world)
    accounts = world.real.read(lambda tx: tx.spend.usual_of_runs("j", 9))
    assert (asked(world), len(accounts)) == (passes - 1, passes - 1)
    assert world.real.read(lambda tx: tx.spend.first_at()) is None or passes == 2


def test_what_is_left_is_told_to_the_client_as_it_goes(world: World) -> None:
    """For clients that keep a cap themselves, and for whoever wonders whether one more may be asked for."""
    left: list[Caps] = []

    class Looking(PayingRunner):
        async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
            assert request.account is not None
            left.append(request.account.caps)
            result = await super().run(request, ctx)
            left.append(request.account.caps)
            return result

    world.runners["paying"] = Looking()
    world.engine = world.new_engine()
    job(world, "budget: {run: {usd: 0.5}, day: {turns: 3}}", responses=2)
    assert settle(world).startswith("succeeded")
    assert [(round(caps.usd or 0, 9), caps.turns) for caps in left] == [(0.5, 3), (0.3, 1)]
