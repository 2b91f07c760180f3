"""The builtin agent, with real hosts, real commands and a stub that speaks the models' APIs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.builtin_agents import Bench, Purse, conversation
from tests.support.model_server import BAD_KEY, ModelServer, script, serving
from tests.support.tools_server import SERVER

from rota.model.agent import Actor, Denial, OnDenied, Outcome, Permissions, Usage
from rota.model.errors import RotaError, StepError
from rota.ports.agents import AgentRequest, AgentResult, DeskTool

APIS = ("anthropic", "openai", "openai-responses")
WRITES = Permissions(write=("now/**",))


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving() as found:
        yield found


@pytest.fixture
def bench(tmp_path: Path, server: ModelServer) -> Bench:
    return Bench(tmp_path.resolve(), server)


def ask(bench: Bench, *turns: Any, api: str = "anthropic", **request: Any) -> AgentResult:
    result: AgentResult = conversation(bench, bench.ask(AgentRequest(script(*turns), **request), api))
    return result


def asked(bench: Bench, prompt: str) -> list[Mapping[str, Any]]:
    """The bodies of the requests that begin with that prompt."""
    return [one.body for one in bench.server.requests if prompt in one.text]


def call(name: str, **args: Any) -> dict[str, Any]:
    return {"calls": [{"name": name, "args": args}]}


def last_result(bench: Bench, prompt: str) -> str:
    """What the model was told of its last call (Anthropic's format)."""
    last = asked(bench, prompt)[-1]["messages"][-1]["content"][0]
    content = last["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.mark.parametrize("api", APIS)
def test_it_uses_tools_and_answers(bench: Bench, api: str) -> None:
    purse = Purse()
    usage = {"input": 70, "output": 3, "cache_read": 500, "cache_write": 20}
    result = ask(
        bench,
        {
            "text": "Let me write that.\n",
            **call("write", path="now/plan.md", content="- one\n"),
            "usage": usage,
        },
        "It is written.",
        api=api,
        account=purse,
        permissions=WRITES,
    )
    assert (result.outcome, result.text, result.turns, result.tool_calls) == (
        Outcome.DONE,
        "It is written.",
        2,
        1,
    )
    assert (bench.workspace / "now/plan.md").read_text() == "- one\n"
    assert purse.told[0].usage == Usage(70, 3, 500, 20)
    assert result.usage == Usage(170, 13, 500, 20)
    assert len({one.key for one in purse.told}) == 2
    for line in ("Let me write that.", "> write now/plan.md", "  1 line written", "turn 1: 590 in, 3 out"):
        assert line in bench.said
    assert result.session is not None
    assert not result.session.open


def test_what_is_not_allowed_is_denied_at_once_and_told_of(bench: Bench) -> None:
    result = ask(
        bench,
        {"calls": [
            {"name": "write", "args": {"path": "other.md", "content": "x"}},
            {"name": "run", "args": {"command": "git status; rm -rf now"}},
            {"name": "fetch", "args": {"url": "http://example.com/x"}},
        ]},
        "I could not.",
        permissions=Permissions(run=("git *",)),
    )  # fmt: skip
    assert result.outcome is Outcome.DONE
    assert result.denied == (
        Denial("write", "other.md"),
        Denial("run", "git status; rm -rf now"),
        Denial("net", "example.com"),
    )
    assert not (bench.workspace / "other.md").exists()
    assert "  denied: write other.md" in bench.said
    assert "Go on without it" in last_result(bench, "git status; rm -rf now")


def test_where_a_person_is_asked_the_same_conversation_goes_on_with_what_was_allowed(bench: Bench) -> None:
    from dataclasses import replace

    asking = Permissions(on_denied=OnDenied.ASK)
    write = call("write", path="a.md", content="x")

    async def both() -> tuple[AgentResult, AgentResult]:
        first = await bench.ask(AgentRequest(script(write, "I wait.", marker="ask"), permissions=asking))
        assert first.session is not None
        session = replace(first.session, grants=first.denied)
        again = f"You may now do this. {script(write, 'Done.', marker='granted')}"
        return first, await bench.ask(AgentRequest(again, permissions=asking, session=session))

    first, second = conversation(bench, both())
    assert (first.denied, second.denied) == ((Denial("write", "a.md"),), ())
    assert (bench.workspace / "a.md").read_text() == "x"
    whole = json.dumps(bench.server.requests_of("granted")[-1].body)
    assert "I wait." in whole
    assert "stop here" in whole


def test_a_command_runs_without_a_shell_where_it_needs_none(bench: Bench) -> None:
    script_file = bench.workspace / "show.py"
    script_file.write_text(
        "import sys, os; print(sys.argv[1:], sorted(k for k in os.environ if 'KEY' in k)); sys.exit(3)"
    )
    line = f"{sys.executable} show.py 'a b' '*'"
    result = ask(
        bench, call("run", command=line), call("run", command="missing-program"), "ok",
        permissions=Permissions(run=("*",)),
    )  # fmt: skip
    assert result.outcome is Outcome.DONE
    assert "['a b', '*'] []" in bench.said
    assert "  exit 3, 1 line" in bench.said
    assert "not started" in last_result(bench, "missing-program")


def test_a_command_that_takes_too_long_is_ended_and_the_agent_told(bench: Bench) -> None:
    ask(
        bench, call("run", command="sleep 987.5", timeout=0.2), "ok",
        permissions=Permissions(run=("sleep *",)),
    )  # fmt: skip
    assert "it took longer than 0.2 seconds" in last_result(bench, "sleep 987.5")


def test_an_answer_that_does_not_fit_the_schema_is_asked_for_once_more(bench: Bench) -> None:
    schema = {"type": "object", "required": ["count"], "properties": {"count": {"type": "integer"}}}
    result = ask(bench, '{"count": "three"}', '```json\n{"count": 3}\n```', schema=schema)
    assert (result.outcome, result.structured, result.turns) == (Outcome.DONE, {"count": 3}, 2)
    assert (
        "`$.count` does not fit the schema: 'three' is not of type 'integer': asked once more" in bench.said
    )


def test_two_answers_that_do_not_fit_are_a_failure(bench: Bench) -> None:
    result = ask(bench, "three", "Sorry: three.", "never asked for", schema={"type": "integer"})
    assert (result.outcome, result.code, result.turns) == (Outcome.FAILED, "bad_answer", 2)
    assert result.detail.startswith("the answer is no JSON")


def test_a_budget_that_is_used_up_ends_it_before_the_next_tool(bench: Bench) -> None:
    purse = Purse("the budget of 0.10 usd is used up", after=2)
    write = call("write", path="now/a.md", content="x")
    result = ask(
        bench, write, call("write", path="now/b.md", content="x"), "never", account=purse, permissions=WRITES
    )
    assert (result.outcome, result.detail) == (Outcome.BUDGET, "the budget of 0.10 usd is used up")
    assert not result.retry
    assert len(purse.told) == 2
    assert (bench.workspace / "now/a.md").exists()
    assert not (bench.workspace / "now/b.md").exists()


def test_turns_have_an_end(bench: Bench) -> None:
    bench.settings["turns"] = 2
    looks = call("list", path=".")
    result = ask(bench, looks, looks, looks, "never")
    assert (result.outcome, result.turns) == (Outcome.BUDGET, 2)
    assert "2 turns are used up" in result.detail


FAULTS: list[tuple[dict[str, Any], Outcome, bool, float | None]] = [
    ({"status": 429, "retry_after": "7"}, Outcome.PROVIDER, True, 7.0),
    ({"status": 500}, Outcome.PROVIDER, True, None),
    ({"status": 529}, Outcome.PROVIDER, True, None),
    ({"status": 400}, Outcome.PROVIDER, False, None),
    ({"status": 404}, Outcome.PROVIDER, False, None),
    ({"hang": "headers"}, Outcome.TIMEOUT, True, None),
    ({"hang": "stream"}, Outcome.TIMEOUT, True, None),
    ({"drop": "headers"}, Outcome.PROVIDER, True, None),
    ({"drop": "stream"}, Outcome.PROVIDER, True, None),
    ({"break": True}, Outcome.PROVIDER, True, None),
    ({"refuse": "No, I will not."}, Outcome.REFUSED, False, None),
    ({"filter": True}, Outcome.REFUSED, False, None),
]


@pytest.mark.parametrize("api", APIS)
def test_how_it_fails(bench: Bench, api: str) -> None:
    bench.settings |= {"timeout": 0.5, "retries": 0}

    async def all_of_them() -> list[AgentResult]:
        return [await bench.ask(AgentRequest(script(fault)), api) for fault, *_expected in FAULTS]

    for (fault, *expected), result in zip(FAULTS, conversation(bench, all_of_them()), strict=True):
        assert [result.outcome, result.retry, result.retry_after] == expected, fault
        assert result.detail, fault
        assert result.session is not None, fault
        if "refuse" in fault:
            assert "No, I will not." in result.detail
        if "status" in fault:
            assert result.detail == f"{api} answered {fault['status']}: stub: answered {fault['status']}"


def test_what_an_overload_refuses_is_asked_for_again(bench: Bench) -> None:
    result = ask(bench, {"text": "ok", "before": [{"status": 529, "retry_after": "0"}, {"drop": "headers"}]})
    assert (result.outcome, result.text, result.turns) == (Outcome.DONE, "ok", 1)
    assert "anthropic answered 529: stub: answered 529: asked again in 0 s" in bench.said


def test_a_longer_wait_is_left_to_the_job(bench: Bench) -> None:
    result = ask(bench, {"text": "ok", "before": [{"status": 429, "retry_after": "3600"}]})
    assert (result.outcome, result.retry_after) == (Outcome.PROVIDER, 3600.0)


def test_a_broken_stream_is_paid_for_as_far_as_it_is_known(bench: Bench) -> None:
    bench.settings["retries"] = 0
    purse = Purse()
    result = ask(bench, {"drop": "stream"}, account=purse)
    assert result.outcome is Outcome.PROVIDER
    assert [one.usage.input for one in purse.told] == [100]


def test_a_bad_key_is_said_to_be_one_and_not_shown(bench: Bench) -> None:
    bench.settings["key"] = BAD_KEY
    result = ask(bench, "never")
    assert (result.outcome, result.retry) == (Outcome.PROVIDER, False)
    assert "answered 401" in result.detail
    assert BAD_KEY not in result.detail + bench.said


def test_a_key_that_is_missing_and_a_model_that_nobody_named(bench: Bench) -> None:
    bench.settings["key"] = "${OTHER}"
    with pytest.raises(RotaError, match="OTHER"):
        ask(bench, "never")
    bench.settings |= {"key": "${KEY}", "model": None}
    with pytest.raises(StepError, match="has no model"):
        ask(bench, "never")


def test_a_conversation_goes_on_with_a_new_prompt_and_a_fresh_one_knows_nothing(bench: Bench) -> None:
    async def talk() -> None:
        first = await bench.ask(AgentRequest(script("One.", marker="one")))
        bench.run_id = "run-2"
        await bench.ask(AgentRequest(script("Two.", marker="two"), session=first.session))
        await bench.ask(AgentRequest(script("Three.", marker="three")))

    conversation(bench, talk())
    two, three = (bench.server.requests_of(name)[-1].body["messages"] for name in ("two", "three"))
    assert [message["role"] for message in two] == ["user", "assistant", "user"]
    assert [message["role"] for message in three] == ["user"]


def test_fresh_prompts_do_not_grow_in_a_warm_host(bench: Bench) -> None:
    async def many() -> None:
        for _ in range(12):
            await bench.ask(AgentRequest(script("ok", marker="flat")))

    conversation(bench, many())
    sizes = {len(json.dumps(one.body)) for one in bench.server.requests_of("flat")}
    assert len(sizes) == 1


def test_a_conversation_that_cannot_be_read_is_said_to_be_broken(bench: Bench) -> None:
    folder = bench.workspace / ".rota/agents/builtin"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text('{"messages": [')
    with pytest.raises(StepError, match=r"the conversation in broken\.json cannot be read"):
        ask(bench, "never", session_id="broken")


def test_only_the_tools_that_are_named_are_there(bench: Bench) -> None:
    ask(bench, call("write", path="now/a.md", content="x"), "ok", tools=("Read", "l*"), permissions=WRITES)
    assert [tool["name"] for tool in asked(bench, "STUB")[-1]["tools"]] == ["read", "list"]
    assert not (bench.workspace / "now/a.md").exists()
    with pytest.raises(StepError, match="has no tool 'Teleport'"):
        ask(bench, "never", tools=("Teleport",))


class BoardDesk:
    """A desk with a board."""

    def __init__(self) -> None:
        self.used: list[tuple[str, Mapping[str, Any], Actor]] = []

    def tools(self) -> Sequence[DeskTool]:
        title = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
        nothing = {"type": "object", "properties": {}}
        return [
            DeskTool("card_create", "Put a card on the board.", title, looks=False),
            DeskTool("card_list", "The cards.", nothing, looks=True),
        ]

    async def use(self, tool: str, arguments: Mapping[str, Any], actor: Actor) -> str:
        if arguments.get("title") == "forbidden":
            raise RotaError("the workspace lets no agent do that", code="denied")
        self.used.append((tool, arguments, actor))
        return "card 1 is on the board"


def test_rotas_own_tools_are_used_in_the_agents_name(bench: Bench) -> None:
    desk = BoardDesk()
    bench.desk = desk
    result = ask(
        bench,
        call("card_create", title="Test Task"),
        call("card_create", title="forbidden"),
        call("card_create"),
        "It is on the board.",
    )
    assert result.session is not None
    actor = Actor("builtin", "run-1", "job", "ask", result.session.id)
    assert desk.used == [("card_create", {"title": "Test Task"}, actor)]
    assert result.denied == (Denial("card_create", '{"title": "forbidden"}'),)
    assert "card 1 is on the board" in bench.said
    assert "'title' is a required property" in last_result(bench, "It is on the board.")


def test_tools_of_the_desk_that_a_job_does_not_allow_are_denied(bench: Bench) -> None:
    bench.desk = desk = BoardDesk()
    result = ask(
        bench, call("card_create", title="x"), call("card_list"), "ok",
        permissions=Permissions(rota=("job_*",)),
    )  # fmt: skip
    assert [tool for tool, _arguments, _actor in desk.used] == ["card_list"]
    assert result.denied == (Denial("card_create", '{"title": "x"}'),)


def test_an_mcp_server_is_asked_and_outlives_the_agents_commands(bench: Bench) -> None:
    (bench.workspace / "server.py").write_text(SERVER)
    server = {"command": sys.executable, "args": ["server.py"], "env": {"GREETING": "Hello"}}
    result = ask(
        bench,
        call("run", command="true"),
        {"calls": [{"name": "mcp__hall__greet", "args": {"name": "Ada"}}]},
        call("mcp__hall__fail"),
        "ok",
        mcp={"hall": server},
        permissions=Permissions(run=("true",)),
    )
    assert result.outcome is Outcome.DONE
    assert "mcp hall: 2 tools" in bench.said
    assert "Hello Ada of run-1" in bench.said
    assert "Error executing tool fail" in last_result(bench, "mcp__hall__fail")


def test_a_dead_mcp_server_fails_the_run_unless_it_is_optional(bench: Bench) -> None:
    dead = {"command": sys.executable, "args": ["-c", "pass"]}
    with pytest.raises(StepError, match="the MCP server 'hall' does not answer") as raised:
        ask(bench, "never", mcp={"hall": dead})
    assert raised.value.code == "mcp_failed"
    gone = {"url": "http://127.0.0.1:9/mcp", "optional": True}
    assert ask(bench, "ok", mcp={"hall": gone}).outcome is Outcome.DONE
    assert "it is optional" in bench.said


def test_three_hundred_fresh_prompts_start_with_the_same_context(bench: Bench) -> None:
    """Nothing of one conversation is in the next, however many the host has had."""
    prompt = script("Fine.", marker="many")

    async def many() -> None:
        for number in range(300):
            bench.run_id = f"run-{number}"
            result = await bench.ask(AgentRequest(prompt))
            assert (result.outcome, result.text) == (Outcome.DONE, "Fine.")

    conversation(bench, many())
    requests = bench.server.requests_of("many")
    assert len(requests) == 300
    assert len({len(json.dumps(one.body)) for one in requests}) == 1
