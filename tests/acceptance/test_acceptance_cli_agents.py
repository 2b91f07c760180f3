"""`rota agents`, and one question to each runner that is ready."""

from __future__ import annotations

import json

from tests.support.clients import CLAUDE, CLIENTS, SECRET
from tests.support.model_server import BAD_KEY, KEY, serving
from tests.support.rota import Rota


def test_agents_are_listed_with_their_last_success(rota: Rota) -> None:
    rota.write(".rota/rota.yaml", "timezone: UTC\nagent: {command: cat, model: best}\n")
    said = rota.quick("agents").out
    listed = [line.split()[:2] for line in said.splitlines()[1:]]
    assert ["command", "ready"] in listed
    assert ["inbox", "ready"] in listed
    rota.write(".rota/rota.yaml", "timezone: UTC\n")
    said = rota.quick("agents").out
    assert "command  not set up" in said
    assert "command: there is no `command:` under `agent:` in rota.yaml" in said
    rota.write(".rota/rota.yaml", "timezone: UTC\nagent: {command: cat, model: best}\n")
    rota.job("brief", "steps: [{agent: hello, runner: command}]\n")
    rota("run", "brief", "--wait")
    told = {one["name"]: one for one in rota.quick("agents", "--json").json["runners"]}
    success = told["command"]["last_success"]
    assert (success["job"], success["run"]) == ("brief", rota.runs("brief")[0]["id"])
    assert told["inbox"]["last_success"] is None
    assert "(brief)" in rota.quick("agents").out


def test_the_doctor_asks_only_when_it_is_told_to(rota: Rota) -> None:
    rota.write("agent.sh", "tee -a prompts.txt\n")
    rota.write(".rota/rota.yaml", "timezone: UTC\nagent: {runner: command, command: sh agent.sh}\n")
    rota("doctor")
    assert rota.lines("prompts.txt") == []
    said = rota("doctor", "--probe-agents")
    assert "ok       command answers after" in said.out
    assert len(rota.lines("prompts.txt")) == 1
    told = {one["name"]: one for one in rota.quick("agents", "--json").json["runners"]}
    assert told["command"]["last_success"]["job"] is None


def test_the_doctor_says_what_a_runner_that_does_not_answer_said(rota: Rota) -> None:
    rota("secret", "set", "KEY", stdin="sk-very-secret")
    rota.write("agent.sh", "echo 'the key sk-very-secret is bad' >&2; exit 3\n")
    rota.write(".rota/rota.yaml", "timezone: UTC\nagent: {runner: command, command: sh agent.sh}\n")
    said = rota("doctor", "--probe-agents", code=1)
    assert "problem  command does not answer: exit code 3: the key *** is bad" in said.out
    assert "sk-very-secret" not in said.out + said.err


def test_what_a_question_took_is_said(rota: Rota) -> None:
    with serving() as server:
        settings = CLIENTS["builtin"].settings(server, 60)
        rota("secret", "set", SECRET, stdin=KEY)
        rota.write(".rota/rota.yaml", json.dumps({"timezone": "UTC", "agent": {"model": CLAUDE, **settings}}))
        said = rota("doctor", "--probe-agents").out
        (asked,) = server.requests
        assert "one word: ok" in asked.text
        assert "builtin answers after" in said
        assert f"({CLAUDE}, 110 tokens, $0.0001)" in said
        told = {one["name"]: one for one in rota.quick("agents", "--json").json["runners"]}
        assert (told["builtin"]["ready"], told["builtin"]["last_success"]["model"]) == (True, CLAUDE)

        rota("secret", "set", SECRET, stdin=BAD_KEY)
        said = rota("doctor", "--probe-agents", code=1).out
        assert "problem  builtin does not answer:" in said
        assert "invalid x-api-key" in said
        assert BAD_KEY not in said
