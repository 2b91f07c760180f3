"""Agent steps in runs: conversations over tries, kills and runs; what is denied and put before a person."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.agents import ScriptedRunner
from tests.support.world import World

from rota.engine.questions import answer, expire
from rota.model.agent import AgentSession, Denial, Outcome, run_key
from rota.model.config import AgentConfig, WorkspaceConfig
from rota.model.instants import DAY
from rota.model.message import Approval
from rota.model.run import RunState
from rota.ports.agents import AgentRequest, AgentResult
from rota.ports.steps import StepContext, Waiting
from rota.ports.store import Tx

PUSH, SECRET = Denial("run", "git push origin main"), Denial("write", "secrets.txt")
ASKS = 'steps: [{id: work, agent: Do it., permissions: {on_denied: ask}}, {id: after, act: "{{ steps.work.output }}"}]\n'
PLAIN = "steps: [{id: work, agent: Do it.%s}]\n"
BUSY = AgentResult(Outcome.PROVIDER, detail="529 overloaded", retry_after=1.0)


@pytest.fixture
def runner(world: World) -> ScriptedRunner:
    found = ScriptedRunner()
    world.runners["scripted"] = found
    return found


def conversation(world: World, key: str | None = None) -> AgentSession | None:
    wanted = key or run_key(world.run().id, "work")
    return world.real.read(lambda tx: tx.sessions.get(wanted))


def question(world: World) -> Approval:
    (found,) = world.real.read(lambda tx: tx.approvals.of(world.run().id))
    return found


def reply(world: World, choice: str, *, by: str = "ana", reason: str | None = None) -> None:
    asked = question(world)

    def work(tx: Tx) -> None:
        assert answer(tx, asked, choice, by, world.clock.now(), reason=reason)

    world.real.write_now(work)
    asyncio.run(world.settle())


def denied(*what: Denial, text: str = "I stopped.") -> AgentResult:
    return AgentResult(Outcome.DONE, text, denied=what)


def started(world: World, text: str) -> None:
    world.job(text)
    world.start()
    asyncio.run(world.settle())


async def killed_at_work(world: World, runner: ScriptedRunner) -> None:
    """Run until the agent is at work, then kill -9; the next life has looked after what it left."""

    at_work: list[bool] = []

    async def forever(_request: AgentRequest, _ctx: StepContext) -> AgentResult:
        at_work.append(True)
        await asyncio.Event().wait()
        raise AssertionError

    runner.turns.insert(0, forever)
    await world.engine.dispatcher.run_once()
    await world.until(lambda: at_work)
    await world.kill()
    await world.engine.recovery.run_once()
    await world.settle()


def test_what_an_agent_may_not_do_is_put_before_a_person_and_allowed(
    world: World, runner: ScriptedRunner
) -> None:
    runner.turns = [denied(PUSH, SECRET, PUSH)]
    started(world, ASKS)
    assert (world.state(), world.states()) == (RunState.WAITING, {"work": "waiting"})
    asked = question(world)
    assert (asked.kind, asked.choices) == ("permission", ("approve", "deny"))
    assert asked.question.splitlines()[1:] == ["- run git push origin main", "- write secrets.txt"]
    assert asked.preview is not None
    assert "I stopped." in asked.preview
    assert asked.expires_at == world.clock.now() + 7 * DAY
    reply(world, "approve", reason="once")
    assert world.state() is RunState.SUCCEEDED
    again = runner.requests[1]
    assert again.session is not None
    assert (again.session.id, again.session.grants) == ("talk-1", (PUSH, SECRET))
    assert "You may now do this, ana has allowed it" in again.prompt
    assert "once" in again.prompt
    assert "Do it." not in again.prompt
    assert world.steps()["after"].output == "done"
    ended = conversation(world)
    assert ended is not None
    assert (ended.open, ended.asked, ended.said) == (False, (), "")


def test_a_denial_is_told_to_the_agent_and_not_asked_again(world: World, runner: ScriptedRunner) -> None:
    runner.turns = [denied(PUSH), denied(PUSH, text="Done but for the push.")]
    started(world, ASKS)
    reply(world, "deny", reason="not on Fridays")
    assert world.state() is RunState.SUCCEEDED
    assert "Denied by ana (not on Fridays): run `git push origin main`" in runner.prompts[1]
    assert "Finish without it" in runner.prompts[1]
    step = world.steps()["work"]
    assert step.output == "Done but for the push."
    assert step.values["denied"] == [{"tool": "run", "what": "git push origin main"}]


def test_another_wish_is_another_question(world: World, runner: ScriptedRunner) -> None:
    runner.turns = [denied(PUSH), denied(SECRET)]
    started(world, ASKS)
    reply(world, "approve")
    assert world.state() is RunState.WAITING
    assert question(world).question.splitlines()[1:] == ["- write secrets.txt"]
    reply(world, "approve")
    assert world.state() is RunState.SUCCEEDED
    assert runner.requests[2].session is not None
    assert runner.requests[2].session.grants == (PUSH, SECRET)


def test_without_an_answer_it_stays_denied_and_the_agent_goes_on(
    world: World, runner: ScriptedRunner
) -> None:
    runner.turns = [denied(PUSH)]
    started(world, ASKS)
    world.clock.advance(8 * 86_400)
    assert world.real.write_now(lambda tx: expire(tx, world.clock.now())) == 1
    asyncio.run(world.settle())
    assert world.state() is RunState.SUCCEEDED
    assert "Nobody answered in time" in runner.prompts[1]


def test_those_who_hear_of_errors_are_asked_once_with_the_commands_that_answer(
    world: World, runner: ScriptedRunner
) -> None:
    runner.turns = [denied(PUSH)]
    started(world, "on_error: {notify: [chat]}\n" + ASKS)
    (message,) = world.messages()
    run = world.run().id
    assert "- run git push origin main" in message.body
    assert f"rota approve {run}" in message.body
    assert f"rota deny {run} --reason" in message.body


def test_where_nobody_is_to_be_asked_a_denial_is_listed_and_logged(
    world: World, runner: ScriptedRunner
) -> None:
    runner.turns = [denied(PUSH, text="Could not push.")]
    started(world, PLAIN % "")
    assert world.state() is RunState.SUCCEEDED
    assert world.steps()["work"].values["denied"] == [{"tool": "run", "what": PUSH.what}]
    assert "denied: run git push origin main" in world.attempts("work")[0].excerpt


def test_a_runner_that_keeps_no_conversation_asks_nobody(world: World, runner: ScriptedRunner) -> None:
    runner.continues = False
    runner.turns = [denied(PUSH)]
    started(world, ASKS)
    assert world.state() is RunState.SUCCEEDED
    assert "nobody is asked about it" in world.attempts("work")[0].excerpt


def test_a_secret_in_what_an_agent_wants_is_not_in_the_state(world: World, runner: ScriptedRunner) -> None:
    world.secrets.stored["TOKEN"] = "s3cret-token"
    runner.turns = [denied(Denial("run", "curl -H s3cret-token x"))]
    started(world, ASKS)
    found = conversation(world)
    assert found is not None
    assert "s3cret-token" not in f"{found.asked}{question(world).question}"


def test_a_kill_while_the_run_waits_for_permission_changes_nothing(
    world: World, runner: ScriptedRunner
) -> None:
    runner.turns = [denied(PUSH)]
    started(world, ASKS)
    asyncio.run(world.kill())
    reply(world, "approve")
    assert world.state() is RunState.SUCCEEDED
    assert runner.ids == [None, "talk-1"]


def test_a_try_after_a_provider_s_error_goes_on_with_the_conversation(
    world: World, runner: ScriptedRunner
) -> None:
    runner.turns = [BUSY]
    world.job(PLAIN % ", retry: {attempts: 2, first: 5s}")
    world.start()
    asyncio.run(world.settle())
    assert world.state() is RunState.WAITING
    world.clock.advance(10)
    asyncio.run(world.settle())
    assert world.state() is RunState.SUCCEEDED
    assert runner.ids == [None, "talk-1"]
    assert "You were interrupted" in runner.prompts[1]
    assert "Do it." in runner.prompts[1]


def test_a_try_after_a_failure_of_the_agent_s_own_starts_afresh(world: World, runner: ScriptedRunner) -> None:
    runner.turns = [AgentResult(Outcome.FAILED, detail="it fell over")]
    world.job(PLAIN % ", retry: {attempts: 2, first: 0s}")
    world.start()
    for _ in range(3):
        asyncio.run(world.settle())
        world.clock.advance(1)
    assert world.state() is RunState.SUCCEEDED
    assert runner.ids == [None, None]
    assert runner.prompts[1] == "Do it.\n"


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (AgentResult(Outcome.REFUSED, detail="it declined"), "refused"),
        (AgentResult(Outcome.BUDGET, detail="the budget of the step is used up"), "budget"),
        (AgentResult(Outcome.PROVIDER, detail="401", retry=False), "provider_error"),
        (AgentResult(Outcome.FAILED, detail="odd", code="empty_answer", retry=False), "empty_answer"),
    ],
)
def test_some_ends_are_not_tried_again(
    world: World, runner: ScriptedRunner, result: AgentResult, code: str
) -> None:
    runner.turns = [result]
    started(world, PLAIN % ", retry: 3")
    assert (world.state(), world.run().reason.code) == (RunState.FAILED, code)
    assert result.detail in world.run().reason.text
    assert len(runner.requests) == 1


def test_an_agent_that_was_killed_goes_on_where_the_step_says_so(
    world: World, runner: ScriptedRunner
) -> None:
    world.job(PLAIN % ", on_interrupt: resume")
    world.start()
    asyncio.run(killed_at_work(world, runner))
    assert world.state() is RunState.SUCCEEDED
    assert runner.ids == [None, "talk-1"]
    assert "You were interrupted" in runner.prompts[1]


@pytest.mark.parametrize(("choice", "ids"), [("resume", [None, "talk-1"]), ("retry", [None, None])])
def test_after_a_kill_a_person_chooses_between_going_on_and_starting_afresh(
    world: World, runner: ScriptedRunner, choice: str, ids: list[str | None]
) -> None:
    world.job(PLAIN % "")
    world.start()
    asyncio.run(killed_at_work(world, runner))
    asked = question(world)
    assert asked.choices == ("retry", "resume", "skip", "fail")
    assert "retry, resume, skip or fail?" in asked.question
    reply(world, choice)
    assert world.state() is RunState.SUCCEEDED
    assert runner.ids == ids


def test_where_no_conversation_is_open_there_is_none_to_go_on_with(
    world: World, runner: ScriptedRunner
) -> None:
    runner.continues = False

    at_work: list[bool] = []

    async def begun(_request: AgentRequest, _ctx: StepContext) -> AgentResult:
        at_work.append(True)
        await asyncio.Event().wait()
        raise AssertionError

    async def story() -> None:
        runner.turns = [begun]
        await world.engine.dispatcher.run_once()
        await world.until(lambda: at_work)
        await world.kill()
        await world.engine.recovery.run_once()
        await world.settle()

    world.job(PLAIN % ", on_interrupt: resume")
    world.start()
    asyncio.run(story())
    assert question(world).choices == ("retry", "skip", "fail")


def test_retry_on_interrupt_starts_afresh(world: World, runner: ScriptedRunner) -> None:
    world.job(PLAIN % ", on_interrupt: retry")
    world.start()
    asyncio.run(killed_at_work(world, runner))
    assert world.state() is RunState.SUCCEEDED
    assert runner.ids == [None, None]


def test_a_shutdown_is_an_interruption_too(world: World, runner: ScriptedRunner) -> None:
    at_work: list[bool] = []

    async def forever(_request: AgentRequest, _ctx: StepContext) -> AgentResult:
        at_work.append(True)
        await asyncio.Event().wait()
        raise AssertionError

    async def story() -> None:
        runner.turns = [forever]
        await world.engine.dispatcher.run_once()
        await world.until(lambda: at_work)
        await world.stop()
        await world.settle()

    world.job(PLAIN % ", on_interrupt: resume")
    world.start()
    asyncio.run(story())
    assert world.state() is RunState.SUCCEEDED
    assert runner.ids == [None, "talk-1"]


def test_a_try_after_the_step_s_timeout_goes_on_with_the_conversation(
    world: World, runner: ScriptedRunner
) -> None:
    async def forever(_request: AgentRequest, _ctx: StepContext) -> AgentResult:
        await asyncio.Event().wait()
        raise AssertionError

    runner.turns = [forever]
    world.job(PLAIN % ", timeout: 300ms, retry: {attempts: 2, first: 0s, on: timeout}")
    world.start()
    for _ in range(3):
        asyncio.run(world.settle())
        world.clock.advance(1)
    assert world.state() is RunState.SUCCEEDED
    assert runner.ids == [None, "talk-1"]


def test_an_allowance_survives_a_kill_in_the_midst_of_going_on(world: World, runner: ScriptedRunner) -> None:
    runner.turns = [denied(PUSH)]
    started(world, ASKS.replace("agent: Do it.", "agent: Do it., on_interrupt: resume"))
    asked = question(world)
    world.real.write_now(lambda tx: answer(tx, asked, "approve", "ana", world.clock.now()))
    asyncio.run(killed_at_work(world, runner))
    assert world.state() is RunState.SUCCEEDED
    assert runner.ids == [None, "talk-1", "talk-1"]
    assert all("You may now do this" in prompt for prompt in runner.prompts[1:])
    last = runner.requests[2].session
    assert last is not None
    assert last.grants == (PUSH,)


def test_each_run_has_a_conversation_of_its_own_unless_the_job_keeps_one(
    world: World, runner: ScriptedRunner
) -> None:
    for keys, ids in (("", [None, None]), (", session: job", [None, "talk-3"])):
        world.job(PLAIN % keys)
        runner.requests.clear()
        for _ in range(2):
            world.start()
            asyncio.run(world.settle())
        assert runner.ids == ids
        assert runner.prompts[1] == "Do it.\n"


def test_jobs_share_a_conversation_by_its_name(world: World, runner: ScriptedRunner) -> None:
    for name in ("one", "two"):
        world.job(PLAIN % ", session: {name: planning}", name)
        world.start(name)
        asyncio.run(world.settle())
    assert runner.ids == [None, "talk-1"]
    kept = conversation(world, "name:planning")
    assert kept is not None
    assert (kept.id, kept.open) == ("talk-1", False)


def test_what_was_allowed_in_one_run_is_not_in_the_next(world: World, runner: ScriptedRunner) -> None:
    runner.turns = [denied(PUSH)]
    started(world, ASKS.replace("agent: Do it.", "agent: Do it., session: job"))
    reply(world, "approve")
    world.start()
    asyncio.run(world.settle())
    last = runner.requests[-1].session
    assert last is not None
    assert (last.id, last.grants) == ("talk-1", ())


def test_a_conversation_stays_with_its_runner(world: World, runner: ScriptedRunner) -> None:
    started(world, PLAIN % ", session: job")
    other = world.runners["other"] = ScriptedRunner("other")
    started(world, PLAIN % ", session: job, runner: other")
    assert (world.state(), world.run().reason.code) == (RunState.FAILED, "other_runner")
    assert "was with the runner 'scripted', and 'other' cannot go on with it" in world.run().reason.text
    assert not other.requests


def test_conversations_of_runs_go_with_them(tmp_path_factory: pytest.TempPathFactory) -> None:
    config = WorkspaceConfig(name="world")
    world = World(tmp_path_factory.mktemp("kept"), config)
    try:
        world.runners["scripted"] = ScriptedRunner()
        started(world, PLAIN % ", session: job")
        run_id = world.run().id
        assert conversation(world) is not None
        world.real.write_now(lambda tx: tx.runs.prune([run_id]))
        assert conversation(world, run_key(run_id, "work")) is None
        assert conversation(world, "job:j:work") is not None
    finally:
        world.close()


def test_an_inbox_prompt_s_answer_has_its_values(world: World, runner: ScriptedRunner) -> None:
    def waits(request: AgentRequest, _ctx: StepContext) -> Waiting:
        from rota.model.run import Reason

        return Waiting("prompt", request.prompt, Reason("inbox", "waits"))

    runner.turns = [waits]
    started(world, PLAIN % ", schema: {type: object}")
    asked = question(world)
    world.real.write_now(lambda tx: answer(tx, asked, '{"title": "Plan"}', "cli", world.clock.now()))
    asyncio.run(world.settle())
    values = world.steps()["work"].values
    assert (values["data"], values["runner"], values["by"]) == ({"title": "Plan"}, "inbox", "cli")


def test_the_last_results_of_a_job_are_context(world: World, runner: ScriptedRunner) -> None:
    world.job("steps: [{act: monday}]\n", "notes")
    world.start("notes")
    asyncio.run(world.settle())
    runner.turns = [AgentResult(Outcome.DONE, text) for text in ("first", "second", "third")]
    world.job("steps: [{id: work, agent: Go on., context: {runs: 2}}]\n")
    for _ in range(3):
        world.start()
        asyncio.run(world.settle())
    assert "first" in runner.prompts[2]
    assert runner.prompts[2].index("first") < runner.prompts[2].index("second")
    started(world, "steps: [{id: work, agent: Go on., context: {runs: {job: notes}}}]\n")
    assert "monday" in runner.prompts[3]
    started(world, "steps: [{id: work, agent: Go on., context: {runs: {job: nots}}}]\n")
    assert (world.state(), world.run().reason.code) == (RunState.FAILED, "no_job")


def test_the_workspace_s_permissions_are_those_of_steps_that_say_nothing(
    world: World, runner: ScriptedRunner
) -> None:
    from rota.model.agent import Permissions

    world.settings(agent=AgentConfig(permissions=Permissions(run=("git *",))))
    started(world, PLAIN % "")
    started(world, PLAIN % ", permissions: {write: now/**}")
    assert [r.permissions for r in runner.requests] == [
        Permissions(run=("git *",)),
        Permissions(write=("now/**",)),
    ]
