"""A day of an agent, with each runner there is: a card, a plan for the week, a reflection. Real clients, a stub of the models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.agent_bench import Bench, bench
from tests.support.clients import CLIENTS
from tests.support.model_server import ModelServer, script, serving
from tests.support.rota import eventually

# The name by which a runner's model calls rota's tool: its own, or one of the MCP server `rota`.
CARD_TOOLS = {"builtin": "card_create", "claude": "mcp__rota__card_create", "codex": "mcp__rota/card_create"}
REFLECTION = """\
---
output: now/reflections/today.md
---
Read `now/today.md`. Note in `now/mood.md` how the day was, then write three short paragraphs about it.
"""
PLAN = "# Week of 23 November\n\n- Monday: rest"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving() as found:
        yield found


def a_card(at: Bench) -> None:
    tool = CARD_TOOLS.get(at.client.name)
    if tool is None:
        return  # it has none of rota's tools
    rota = {"command": sys.executable, "args": ["-m", "rota", "mcp"]}
    more = {} if tool == "card_create" else {"mcp": {"rota": rota}}
    call = {"name": tool, "args": {"title": "Test Task"}}
    ended = at.run(
        {"calls": [call]}, "It is on the board.", prompt="Create a card called 'Test Task'.",
        permissions={"rota": ["card_create"]}, **more,
    )  # fmt: skip
    assert (ended.state, ended.text) == ("succeeded", "It is on the board."), ended.why
    assert "Test Task" in at.rota.quick("board").out
    assert at.rota.quick("card", "show", "c1").out.count("Test Task") == 1
    assert f"agent, run {ended.run.id}" in at.rota.quick("card", "show", "c1").out, "it says where it is from"


def a_plan_for_the_week(at: Bench) -> None:
    marker = f"plan-{at.client.name}"
    skill = ".rota/skills/weekly-planning/SKILL.md"
    at.rota.write(skill, f"{at.rota.read(skill)}\n{script(PLAN, marker=marker)}\n")
    ended = at.ended(at.begin("weekly-plan", marker))
    assert ended.state == "succeeded", ended.why
    assert at.rota.read("now/weekly-plan-draft.md") == f"{PLAN}\n"
    (asked,) = ended.requests
    assert "Put promises before tasks" in asked.text
    assert "## Input: calendar" in asked.text
    assert at.rota.read("tasks.md").splitlines()[0] in asked.text
    eventually(lambda: "Weekly plan draft ready" in at.rota.read("now/notifications.log"), "it was told")


def a_reflection(at: Bench) -> None:
    marker = f"reflection-{at.client.name}"
    turns = ({"calls": [at.call_write("now/mood.md", "calm")]}, "A quiet day.\n\nIt rained.\n\nSo be it.")
    at.rota.write(".rota/jobs/reflection.md", f"{REFLECTION}{script(*turns, marker=marker)}\n")
    ended = at.ended(at.begin("reflection", marker))
    assert ended.state == "succeeded", ended.why
    assert at.rota.read("now/mood.md").strip() == "calm"
    assert at.rota.read("now/reflections/today.md").endswith("It rained.\n\nSo be it.\n")


@pytest.mark.parametrize("name", ["command", "builtin", "claude", "codex", "pi"])
def test_a_day_of_an_agent(name: str, server: ModelServer, tmp_path: Path, subtests: Any) -> None:
    client = CLIENTS[name]
    if client.missing:
        pytest.skip(client.missing)
    allowed = {"write": ["now/**"]}
    with bench(
        tmp_path / "work", server, client, patience=60, template="personal-os", permissions=allowed
    ) as at:
        for story in (a_card, a_plan_for_the_week, a_reflection):
            with subtests.test(story.__name__):
                story(at)
