"""What the keys of an agent step give to its runner, and what becomes of the answer."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from rota.model.agent import OnDenied, Outcome, Permissions, Usage
from rota.model.config import AgentConfig
from rota.model.errors import PathError, RotaError, StepError
from rota.ports.agents import AgentRequest, AgentResult
from rota.ports.steps import Failed, StepContext

if TYPE_CHECKING:
    from tests.unit.steps.conftest import Bench, EchoRunner

SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


@pytest.fixture
def runner(bench: Bench, echo: type[EchoRunner]) -> EchoRunner:
    bench.runners = {"command": echo("command")}
    return bench.runners["command"]


def asked(runner: EchoRunner) -> AgentRequest:
    return runner.requests[-1]


def answers(*texts: str) -> list[AgentResult]:
    return [AgentResult(Outcome.DONE, text) for text in texts]


# The system prompt


def test_the_system_prompt_is_the_persona_unless_something_else_is_said(
    bench: Bench, runner: EchoRunner
) -> None:
    bench.done({"agent": "Go"})
    assert asked(runner).system is None
    bench.file(".rota/persona.md", "You are Ada.")
    bench.done({"agent": "Go"})
    assert asked(runner).system == "You are Ada."
    bench.file("roles/editor.md", "You edit.")
    bench.settings(agent=AgentConfig(system="roles/editor.md"))
    bench.done({"agent": "Go"})
    assert asked(runner).system == "You edit."
    bench.file("roles/critic.md", "You doubt {{ everything }}.")
    bench.done({"agent": "Go", "system": "roles/critic.md"})
    assert asked(runner).system == "You doubt {{ everything }}."
    bench.done({"agent": "Go", "system": "Be brief, {{ params.who }}."}, values={"params": {"who": "Sam"}})
    assert asked(runner).system == "Be brief, Sam."
    bench.done({"agent": "Go", "system": False})
    assert asked(runner).system is None


def test_a_system_prompt_s_file_has_to_be_there(bench: Bench, runner: EchoRunner) -> None:
    with pytest.raises(StepError, match=r"cannot be read: roles/edtor\.md"):
        bench.run({"agent": "Go", "system": "roles/edtor.md"})
    bench.settings(agent=AgentConfig(system="roles/edtor.md"))
    with pytest.raises(PathError, match=r"`agent: system:`.*is not a file"):
        bench.run({"agent": "Go"})
    assert not runner.requests


def test_a_value_does_not_choose_the_system_prompt_s_file(bench: Bench, runner: EchoRunner) -> None:
    bench.file("private.md", "private text")
    bench.done({"agent": "Go", "system": "{{ payload.x }}"}, values={"payload": {"x": "private.md"}})
    assert asked(runner).system == "private.md"


# Context


def test_a_question_to_the_index_and_whole_files_are_sections_of_the_prompt(
    bench: Bench, runner: EchoRunner
) -> None:
    bench.file("notes/garden.md", "# Garden\n\nPlant the tomatoes in May.\n")
    bench.file("now/plan.md", "Monday: dig.")
    bench.file("now/day.md", "The day's own.")
    context: dict[str, Any] = {
        "query": "{{ params.about }} tomatoes",
        "in": "notes",
        "budget": 500,
        "files": ["now/plan.md", "now/{{ params.file }}.md"],
    }
    values = {"params": {"about": "garden", "file": "day"}}
    bench.done({"agent": "Go", "context": context}, values=values)
    prompt = asked(runner).prompt
    assert "## Context: the file now/plan.md\n\n```\nMonday: dig.\n```" in prompt
    assert "The day's own." in prompt
    assert "## Context: what this workspace has about garden tomatoes" in prompt
    assert "Plant the tomatoes in May." in prompt
    assert b"1 passage of 1 file" in bench.log
    bench.done({"agent": "Go", "context": "tomatoes"})
    assert "Plant the tomatoes in May." in asked(runner).prompt
    bench.done({"agent": "Go", "context": "zeppelins of which nothing is known"})
    assert asked(runner).prompt == "Go\n"


@pytest.mark.parametrize("files", ["gone.md", "{{ payload.x }}", "../x.md", ".rota/state.db"])
def test_a_file_that_cannot_be_given_fails_the_step_before_the_agent_is_asked(
    bench: Bench, runner: EchoRunner, files: str
) -> None:
    bench.file("private.md", "private text")
    with pytest.raises(StepError, match="cannot be read") as caught:
        bench.run({"agent": "Go", "context": {"files": files}}, values={"payload": {"x": "private.md"}})
    assert caught.value.permanent
    assert not runner.requests


# Tools, servers, permissions


def test_tools_and_servers_reach_the_runner_with_their_secrets(bench: Bench, runner: EchoRunner) -> None:
    bench.secrets.stored["TOKEN"] = "s3cret"
    known = {"files": {"command": "files-server", "args": ["--root", "."], "env": {"LEVEL": 3}}}
    bench.settings(agent=AgentConfig(mcp=known))
    bench.done({"agent": "Go", "tools": "read", "mcp": "files"})
    request = asked(runner)
    assert request.tools == ("read",)
    server = {"command": "files-server", "args": ["--root", "."], "env": {"LEVEL": "3"}}
    assert request.mcp == {"files": server}
    inline = {"web": {"url": "https://mcp.example.com", "headers": {"Authorization": "Bearer ${TOKEN}"}}}
    bench.done({"agent": "Go", "mcp": inline})
    assert asked(runner).mcp["web"]["headers"] == {"Authorization": "Bearer s3cret"}
    bench.done({"agent": "Go"})
    assert (asked(runner).tools, asked(runner).mcp) == (None, {})
    with pytest.raises(StepError, match="no MCP server 'flies'") as caught:
        bench.run({"agent": "Go", "mcp": ["flies"]})
    assert caught.value.hint == "there are: files"
    with pytest.raises(RotaError, match="no secret"):
        bench.run({"agent": "Go", "mcp": {"x": {"url": "${NOT_THERE}"}}})


def test_permissions_are_as_they_are_written(bench: Bench, runner: EchoRunner) -> None:
    bench.done({"agent": "Go"})
    assert asked(runner).permissions == Permissions()
    keys = {"run": "git *", "write": ["now/**"], "net": "*.example.com", "rota": [], "on_denied": "ask"}
    bench.done({"agent": "Go", "permissions": keys})
    assert asked(runner).permissions == Permissions(
        ("git *",), ("now/**",), ("*.example.com",), (), OnDenied.ASK
    )
    for wrong in (
        {"run": "{{ payload.x }}"},
        {"write": "../x"},
        {"write": "/etc/**"},
        {"net": "https://x"},
        {"on_denied": "shout"},
        {"read": "x"},
    ):
        with pytest.raises(ValidationError):
            bench.run({"agent": "Go", "permissions": wrong})


# Budget


def test_the_step_s_budget_opens_its_account(bench: Bench, runner: EchoRunner) -> None:
    found = bench.done({"agent": "Go", "budget": {"usd": 0.5, "turns": 3}})
    assert found.values["usd"] is None  # nobody keeps accounts here
    with pytest.raises(ValidationError):
        bench.run({"agent": "Go", "budget": {"usd": 0}})
    with pytest.raises(ValidationError):
        bench.run({"agent": "Go", "budget": {"dollars": 1}})


def test_minutes_end_the_agent(bench: Bench, runner: EchoRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []

    async def forever(_request: AgentRequest, _ctx: StepContext) -> AgentResult:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(True)
            raise
        raise AssertionError

    monkeypatch.setattr(runner, "run", forever, raising=False)
    found = bench.failed({"agent": "Go", "budget": {"minutes": 0.0005}})
    assert (found.reason.code, found.retry, ended) == ("budget", False, [True])
    assert "the 0.0005 minutes that its budget had left are used up" in found.reason.text


# The answer


def test_what_an_agent_step_puts_out(bench: Bench, runner: EchoRunner) -> None:
    runner.answers = [
        AgentResult(Outcome.DONE, "Hello", usage=Usage(10, 5, 100, 2), model="m-1", turns=2, exit_code=0)
    ]
    found = bench.done({"agent": "Go"})
    assert found.output == "Hello"
    assert found.values == {
        "text": "Hello", "runner": "command", "model": "m-1", "session": None, "turns": 2, "tokens": 117,
        "usd": None, "denied": [], "data": None,
    }  # fmt: skip


@pytest.mark.parametrize("said", ['{"title": "Plan"}', '```json\n{"title": "Plan"}\n```\n'])
def test_an_answer_that_meets_the_schema_is_json_and_its_fields_are_data(
    bench: Bench, runner: EchoRunner, said: str
) -> None:
    runner.answers = answers(said)
    found = bench.done({"agent": "Go", "schema": SCHEMA})
    assert json.loads(found.output) == {"title": "Plan"}
    assert found.values["data"] == {"title": "Plan"}
    assert asked(runner).schema == SCHEMA


def test_the_schema_can_be_a_file_which_is_read_before_anything_is_asked(
    bench: Bench, runner: EchoRunner
) -> None:
    bench.file("schemas/plan.json", json.dumps(SCHEMA))
    runner.answers = answers('{"title": "Plan"}')
    assert bench.done({"agent": "Go", "schema": "schemas/plan.json"}).values["data"] == {"title": "Plan"}
    runner.requests.clear()
    for text in ("{", "[1]", '{"type": "objct"}'):
        bench.file("schemas/plan.json", text)
        with pytest.raises(StepError) as caught:
            bench.run({"agent": "Go", "schema": "schemas/plan.json"})
        assert (caught.value.code, caught.value.permanent) == ("bad_schema", True)
    with pytest.raises(PathError):
        bench.run({"agent": "Go", "schema": "schemas/none.json"})
    assert not runner.requests


def test_an_answer_that_does_not_meet_it_is_asked_for_once_more(bench: Bench, runner: EchoRunner) -> None:
    runner.answers = answers('{"titel": "Plan"}', '{"title": "Plan"}')
    found = bench.done({"agent": "Go", "schema": SCHEMA})
    assert found.values["data"] == {"title": "Plan"}
    again = runner.requests[1].prompt
    assert again.startswith("Go\n")
    assert '{"titel": "Plan"}' in again
    assert "The answer does not meet the schema" in again
    assert b"asked once more" in bench.log


def test_and_no_more_than_once(bench: Bench, runner: EchoRunner) -> None:
    runner.answers = answers("Sorry.", "Sorry again.")
    found = bench.failed({"agent": "Go", "schema": SCHEMA})
    assert (found.reason.code, found.output) == ("bad_answer", "Sorry again.")
    assert found.reason.text.startswith("the answer is no JSON")
    assert len(runner.requests) == 2


def test_a_runner_that_minds_the_schema_itself_is_not_asked_again(bench: Bench, runner: EchoRunner) -> None:
    runner.answers = [AgentResult(Outcome.DONE, "", structured={"title": "Plan"})]
    assert bench.done({"agent": "Go", "schema": SCHEMA}).values["data"] == {"title": "Plan"}
    runner.answers = [AgentResult(Outcome.DONE, "", structured={"titel": 1})]
    assert bench.failed({"agent": "Go", "schema": SCHEMA}).reason.code == "bad_answer"
    assert len(runner.requests) == 2


def test_a_failure_keeps_what_was_said_and_used(bench: Bench, runner: EchoRunner) -> None:
    runner.answers = [
        AgentResult(
            Outcome.PROVIDER, "Half", detail="503", retry_after=7.0, usage=Usage(1, 1), session=None, turns=1
        )
    ]
    found = bench.run({"agent": "Go"})
    assert isinstance(found, Failed)
    assert (found.reason.code, found.retry, found.retry_after, found.output) == (
        "provider_error", True, 7.0, "Half",
    )  # fmt: skip
    assert found.values["tokens"] == 2


# Runners


def test_auto_says_why_the_ones_before_were_not_taken(bench: Bench, echo: type[EchoRunner]) -> None:
    bench.runners = {"claude": echo("claude", ready=False), "inbox": echo("inbox")}
    bench.done({"agent": "Go"})
    assert b"runner: inbox (the first that is set up)\n  not claude: `claude` is not on PATH\n" in bench.log


def test_a_command_whose_program_is_not_there_is_passed_over(bench: Bench) -> None:
    from rota.ports.steps import Waiting
    from rota.runners.registry import RUNNERS

    bench.runners = {key: RUNNERS[key] for key in ("command", "inbox")}  # type: ignore[misc]
    bench.settings(agent=AgentConfig(command=("no-such-agent", "-p")))
    result = bench.run({"agent": "Go"})
    assert isinstance(result, Waiting)
    assert b"not command: `no-such-agent` is not on PATH" in bench.log
    with pytest.raises(StepError, match="'command' is not set up: `no-such-agent` is not on PATH"):
        bench.run({"agent": "Go", "runner": "command"})
    bench.file("bin/agent.sh", "#!/bin/sh\ncat\n", mode=0o755)
    bench.settings(agent=AgentConfig(command=("bin/agent.sh",)))
    assert bench.done({"agent": "Go"}).output == "Go"


def test_a_runner_that_keeps_no_conversation_cannot_go_on_with_one(bench: Bench) -> None:
    from rota.runners.registry import RUNNERS

    bench.runners = {"command": RUNNERS["command"]}  # type: ignore[dict-item]
    bench.settings(agent=AgentConfig(command=("cat",)))
    with pytest.raises(StepError, match="keeps no conversation to go on with") as caught:
        bench.run({"agent": "Go", "session": "job"})
    assert caught.value.permanent


@pytest.mark.parametrize("session", ["mine", {"name": "a b"}, {"nam": "x"}, "name:", 5])
def test_a_session_is_fresh_the_job_s_or_has_a_name(
    bench: Bench, runner: EchoRunner, session: object
) -> None:
    with pytest.raises(ValidationError):
        bench.run({"agent": "Go", "session": session})
