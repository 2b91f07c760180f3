"""What every agent runner keeps to: real clients, a real daemon, a stub of the models' APIs, and what is there at the end.

The scenarios of a runner go on side by side in one workspace. A scenario yields a run that it has started, and gets
what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.agent_bench import Bench, Ended, Going, bench
from tests.support.clients import CLIENTS, RESPONSES
from tests.support.model_server import KEY, ModelServer, serving

Scenario = Generator[Going, Ended, None]
USAGE = {"input": 50, "output": 7, "cache_read": 20}
SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string"}},
    "required": ["mood"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving() as found:
        yield found


def a_reply(at: Bench) -> Scenario:
    going = at.start({"text": "All is well here.", "usage": USAGE})
    ended = yield going
    assert (ended.state, ended.text) == ("succeeded", "All is well here."), ended.why
    assert ended.values["runner"] == at.client.runner
    assert {asked.body["model"] for asked in ended.requests} == {at.client.model}
    assert ended.requests[0].path.endswith(at.client.path)
    assert "All is well here." in at.log(going)
    if at.client.counts:
        assert (ended.values["model"], ended.values["turns"]) == (at.client.model, 1)
        assert ended.values["tokens"] == 77
        assert (ended.used.tokens, ended.used.turns, ended.used.unpriced) == (77, 1, 0)
        assert ended.used.usd > 0


def a_tool_then_a_reply(at: Bench) -> Scenario:
    call = at.call_write("now/plan.md", "- rest")
    ended = yield at.start(
        {"text": "Writing.", "calls": [call]}, "Written.", permissions={"write": ["now/**"]}
    )
    assert (ended.state, ended.text.splitlines()[-1]) == ("succeeded", "Written."), ended.why
    assert at.rota.read("now/plan.md").strip() == "- rest"
    assert len(ended.requests) == 2
    if at.client.counts:
        assert (ended.used.turns, ended.used.tokens) == (2, 220)
        assert ended.values["denied"] == []


def structured_output(at: Bench) -> Scenario:
    ended = yield at.start({"structured": {"mood": "good"}}, "That was it.", schema=SCHEMA)
    assert ended.state == "succeeded", ended.why
    assert ended.values["data"] == {"mood": "good"}


def structured_output_on_the_second_try(at: Bench) -> Scenario:
    turns = ({"structured": {"mood": 3}}, {"structured": {"mood": "better"}}, "That was it.")
    ended = yield at.start(*turns, schema=SCHEMA)
    assert ended.state == "succeeded", ended.why
    assert ended.values["data"] == {"mood": "better"}


def a_conversation_that_goes_on(at: Bench) -> Scenario:
    first = yield at.start("The word is heron.", job="talk", session="job")
    assert first.state == "succeeded", first.why
    second = yield at.start({"text": "As I said.", "usage": USAGE}, job="talk", session="job")
    assert (second.state, second.text) == ("succeeded", "As I said."), second.why
    assert "The word is heron." in second.requests[0].text
    if at.client.counts:
        assert second.values["session"] == first.values["session"]
        assert (second.used.tokens, second.used.turns) == (77, 1), "only what came on top"
    third = yield at.start("Who are you?", job="talk")
    assert "heron" not in third.requests[0].text, "a fresh one knows nothing of it"


def something_that_is_denied(at: Bench) -> Scenario:
    call = at.call_write("private/diary.md", "- hush")
    ended = yield at.start({"calls": [call]}, "So be it.", permissions={"write": ["now/**"]})
    if at.client.free:
        return
    assert (ended.state, ended.text) == ("succeeded", "So be it."), ended.why
    assert not (at.rota.root / "private/diary.md").exists()
    assert len(ended.values["denied"]) == 1
    assert "diary.md" in str(ended.values["denied"])


def what_is_allowed_is_asked_for_and_then_done(at: Bench) -> Scenario:
    if at.client.free:
        return
    call = at.call_write("private/asked.md", "- please")
    permissions = {"write": ["now/**"], "on_denied": "ask"}
    going = at.start(
        {"calls": [call]}, "I was denied.", {"calls": [call]}, "Done now.", permissions=permissions
    )
    at.until_waiting(going)
    at.rota.quick("approve", going.id)
    ended = yield going
    assert (ended.state, ended.text.splitlines()[-1]) == ("succeeded", "Done now."), ended.why
    assert at.rota.read("private/asked.md").strip() == "- please"


def a_refusal(at: Bench) -> Scenario:
    ended = yield at.start({"filter": True, "text": "" if at.client.path != RESPONSES else "No."})
    assert ended.state == "failed"
    assert ended.code == ("refused" if at.client.counts else "empty_answer"), ended.why


def a_budget_that_is_used_up(at: Bench) -> Scenario:
    if not at.client.counts:
        return
    turns = [{"calls": [at.client.run("true")]} for _ in range(5)]
    ended = yield at.start(*turns, "Never.", budget={"turns": 2}, permissions={"run": ["true"]})
    assert (ended.state, ended.code) == ("failed", "budget"), ended.why
    assert ended.whole <= 3, "one response over the cap at most"
    # It is ended in the midst of what it does: what came whole just then it may not have told of.
    assert 2 <= ended.used.turns <= ended.whole, "and every one that was told of is paid for, once"


def the_key_stays_with_the_client(at: Bench) -> Scenario:
    at.rota.write("show.sh", "env > seen.txt; echo shown\n")
    permissions = {"run": ["sh show.sh"], "write": ["**"]}
    going = at.start({"calls": [at.client.run("sh show.sh")]}, "Shown.", permissions=permissions)
    ended = yield going
    assert ended.state == "succeeded", ended.why
    seen = at.rota.read("seen.txt")
    assert f"ROTA_RUN_ID={going.id}" in seen
    assert "PATH=" in seen
    assert KEY not in seen
    assert "NOT_FOR_AGENTS" not in seen
    assert KEY not in at.log(going)


SCENARIOS: tuple[Callable[[Bench], Scenario], ...] = (
    a_reply,
    a_tool_then_a_reply,
    structured_output,
    structured_output_on_the_second_try,
    a_conversation_that_goes_on,
    something_that_is_denied,
    what_is_allowed_is_asked_for_and_then_done,
    a_refusal,
    a_budget_that_is_used_up,
    the_key_stays_with_the_client,
)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_runner_keeps_to_the_contract(
    name: str, server: ModelServer, tmp_path: Path, subtests: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = CLIENTS[name]
    if client.missing:
        pytest.skip(client.missing)
    monkeypatch.setenv("NOT_FOR_AGENTS", "x")
    with bench(tmp_path / "work", server, client, patience=60) as at:
        # All of them are begun before the first is waited for.
        begun = [(one.__name__, scenario := one(at), next(scenario, None)) for one in SCENARIOS]
        for title, scenario, run in begun:
            with subtests.test(title):
                play(at, scenario, run)


def play(at: Bench, scenario: Scenario, run: Going | None) -> None:
    """The rest of a scenario."""
    while run is not None:
        try:
            run = scenario.send(at.ended(run))
        except StopIteration:
            return
