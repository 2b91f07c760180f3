"""What rota's tools show an agent of runs and files; and commands that an agent types in a step of rota's own."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.support.opened import Opened

from rota.app.acting import acting_agent, as_agent, refuse_agents
from rota.app.commands import run_job
from rota.app.desk import LocalDesk
from rota.app.wiring import build_engine
from rota.model.agent import Actor
from rota.model.errors import NotFoundError, RotaError

CLAUDE = Actor("claude")
TALKS = "steps:\n  - {id: one, run: 'echo first; echo second'}\n  - {id: two, run: 'echo third; exit 3'}\n"


def use(opened: Opened, tool: str, **arguments: object) -> str:
    return LocalDesk(opened.app).use_now(tool, arguments, CLAUDE)


def ran(opened: Opened, job_id: str, text: str) -> str:
    """A run of a job, executed here."""
    opened.job(job_id, text)
    run = run_job(opened.app, job_id)
    asyncio.run(build_engine(opened.app, "here", only=run.id).run_dry(schedule=False))
    return run.id


def test_runs_are_listed_shown_and_read(opened: Opened) -> None:
    assert use(opened, "run_list") == "There are no such runs."
    run_id = ran(opened, "talks", TALKS)
    (listed,) = json.loads(use(opened, "run_list", job="talks", state="failed"))
    assert (listed["id"], listed["job"], listed["state"]) == (run_id, "talks", "failed")
    shown = json.loads(use(opened, "run_show", run=run_id))
    assert [(step["id"], step["state"]) for step in shown["steps"]] == [
        ("one", "succeeded"),
        ("two", "failed"),
    ]
    assert shown["steps"][0]["output"] == "first\nsecond"
    logs = use(opened, "run_logs", run=run_id)
    assert logs.index("first") < logs.index("── two") < logs.index("third")
    assert "first" not in use(opened, "run_logs", run=run_id, step="two")
    assert use(opened, "run_logs", run=run_id, most=5).startswith("[the first ")
    with pytest.raises(NotFoundError):
        use(opened, "run_list", job="nobody")


def test_files_are_searched_and_gathered(opened: Opened) -> None:
    opened.file("notes/attic.md", "# Attic\n\nThe ladder stands behind the door.\n")
    found = use(opened, "search", query="ladder")
    assert "notes/attic.md" in found
    assert "Attic" in found
    assert use(opened, "search", query="submarine").startswith("Nothing found.")
    assert "behind the door" in use(opened, "context", about="ladder", paths=["notes"])
    names = {source["name"] for source in json.loads(use(opened, "source_list"))}
    assert {"calendar", "rss"} <= names


def test_an_agent_that_types_a_command_goes_the_way_of_its_tools(opened: Opened) -> None:
    opened.file(".rota/rota.yaml", "timezone: UTC\n")
    opened.job(
        "thinks", "steps:\n  - {id: think, agent: Think., runner: inbox}\n  - {id: look, run: 'true'}\n"
    )
    run = run_job(opened.app, "thinks")
    inside = {"ROTA_RUN_ID": run.id, "ROTA_STEP": "think"}
    assert acting_agent(opened.app, inside) == Actor("inbox", run.id, "thinks", "think")
    said = as_agent(
        opened.app, inside, "job_create", {"id": "new", "schedule": "hourly", "run": "true", "why": "so"}
    )
    assert said is not None
    assert said.startswith("Proposed as P-1")
    with pytest.raises(RotaError, match="people do"):
        refuse_agents(opened.app, inside)


def test_a_person_and_a_command_of_a_step_are_no_agents(opened: Opened) -> None:
    opened.job(
        "thinks", "steps:\n  - {id: think, agent: Think., runner: inbox}\n  - {id: look, run: 'true'}\n"
    )
    run = run_job(opened.app, "thinks")
    for environment in ({}, {"ROTA_RUN_ID": "nobody"}, {"ROTA_RUN_ID": run.id, "ROTA_STEP": "look"}):
        assert acting_agent(opened.app, environment) is None
        assert as_agent(opened.app, environment, "job_list", {}) is None
        refuse_agents(opened.app, environment)
