"""Agents that run unattended: what they may not do, and what becomes of them when rota is killed. Reads as a tutorial."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from tests.support.hooks import Sender
from tests.support.rota import Rota, eventually, new_workspace

# A runner of another package: its agent wants to leave a file, and does so when it may.
BUTLER = """
from pathlib import Path

from rota.model.agent import AgentSession, Denial, Outcome, run_key
from rota.ports.agents import AgentResult, RunnerState
from rota.ports.keys import NoKeys

WISH = Denial("write", "tidy.txt")


class Butler:
    key = "butler"
    params = NoKeys

    def configured(self, config):
        return True

    async def state(self, ctx):
        return RunnerState(found=True)

    async def run(self, request, ctx):
        session = request.session or AgentSession(run_key(ctx.run.id, ctx.step.id), self.key, request.session_id)
        await ctx.services.sessions.put(session)
        with Path(ctx.workspace, "heard.txt").open("a") as file:
            file.write(f"{session.id} {request.prompt.strip()!r}\\n")
        allowed = {*session.grants, *(Denial("write", name) for name in request.permissions.write)}
        if WISH not in allowed:
            return AgentResult(Outcome.DONE, "Not tidied.", session=session, denied=(WISH,))
        Path(ctx.workspace, "tidy.txt").write_text("tidy")
        return AgentResult(Outcome.DONE, "Tidied.", session=session)
"""
SETTINGS = """
name: desk
timezone: UTC
channels: {paper: {type: command, command: tee -a messages.txt}}
notify: [paper]
agent: {command: "sh agent.sh {session}"}
"""
TIDY = """
steps:
  - id: tidy
    agent: Tidy up.
    runner: butler
    permissions: {on_denied: ask}
  - run: echo {{ steps.tidy.output }} >> done.txt
"""
# It works until it is let go, and answers with what it was told in this conversation so far.
AGENT = """
cat >> "talk-$1"
echo $$ >> pids.txt
until [ -e release ]; do sleep 0.1; done
cat "talk-$1"
"""


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with new_workspace(tmp_path / "desk") as rota:
        plugins = tmp_path / "plugins"
        about = plugins / "butler-1.0.dist-info"
        about.mkdir(parents=True)
        (plugins / "butler.py").write_text(BUTLER)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: butler\nVersion: 1.0\n")
        (about / "entry_points.txt").write_text("[rota.runners]\nbutler = butler:Butler\n")
        known = os.environ.get("PYTHONPATH")
        rota.env["PYTHONPATH"] = os.pathsep.join([str(plugins), *([known] if known else [])])
        rota.write(".rota/rota.yaml", SETTINGS)
        rota.write("agent.sh", AGENT)
        yield rota


def waiting(rota: Rota) -> dict[str, Any]:
    """The question, when there is one."""
    found: dict[str, Any] = eventually(lambda: rota("inbox", "--json").json, "it asks")[0]
    return found


def ended(rota: Rota, job: str) -> str:
    def look() -> str | None:
        state = str(rota("history", job, "--json").json[0]["state"])
        return state if state in {"succeeded", "failed", "cancelled"} else None

    return str(eventually(look, "the run ends"))


def heard(rota: Rota) -> list[tuple[str, str]]:
    """Conversation and prompt of each time that the butler was called."""
    found = [line.partition(" ") for line in rota.lines("heard.txt")]
    return [(talk, prompt) for talk, _, prompt in found]


def test_what_an_agent_may_not_do_is_allowed_from_the_command_line(rota: Rota) -> None:
    rota.job("tidy", TIDY)
    rota.up()
    rota("run", "tidy")
    asked = waiting(rota)
    assert (asked["kind"], asked["choices"]) == ("permission", ["approve", "deny"])
    assert "- write tidy.txt" in asked["question"]
    assert "Not tidied." in asked["preview"]
    assert "waits for permission to write tidy.txt" in rota("status").out
    assert f"rota approve {asked['run']}" in rota("inbox", "show", "tidy").err + rota("why", "tidy").out
    assert rota.read("tidy.txt") == ""

    said = rota("approve", "tidy", "--reason", "go ahead")
    assert f"Approved. Run {asked['run']} of tidy goes on." in said.err
    assert ended(rota, "tidy") == "succeeded"
    assert (rota.read("tidy.txt"), rota.lines("done.txt")) == ("tidy", ["Tidied."])
    (first, task), (second, told) = heard(rota)
    assert first == second, "the same conversation goes on"
    assert task == "'Tidy up.'"
    assert "You may now do this" in told
    assert "go ahead" in told


def test_or_denied_by_the_link_and_the_agent_finishes_without_it(rota: Rota) -> None:
    rota.job("tidy", TIDY)
    rota.up()
    rota("run", "tidy")
    waiting(rota)
    links = eventually(
        lambda: re.findall(r"^Or open: (\S+)$", rota.read("messages.txt"), re.MULTILINE), "a link"
    )
    place = urlsplit(links[-1])
    door = Sender(f"http://{place.netloc}")
    assert "- write tidy.txt" in door.send("GET", place.path).text
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    form = urlencode({"choice": "deny", "reason": "leave it"})
    assert door.send("POST", place.path, form, headers).status == 200
    assert ended(rota, "tidy") == "succeeded"
    assert (rota.read("tidy.txt"), rota.lines("done.txt")) == ("", ["Not tidied."])
    assert "Denied by the link (leave it): write `tidy.txt`" in heard(rota)[1][1]
    assert len(heard(rota)) == 2


def test_a_killed_daemon_goes_on_with_the_agent_s_conversation(rota: Rota) -> None:
    rota.job("think", "steps: [{id: think, agent: Think., on_interrupt: resume, output: thoughts.md}]\n")
    rota.up()
    rota("run", "think")
    eventually(lambda: len(rota.lines("pids.txt")) == 1, "the agent is at work")
    rota.kill_daemon()
    rota.write("release", "")
    rota.up()
    assert ended(rota, "think") == "succeeded"
    assert len(list(rota.root.glob("talk-*"))) == 1, "there was one conversation"
    thoughts = rota.read("thoughts.md")
    assert thoughts.startswith("Think.\nYou were interrupted")
    assert "do not do it again" in thoughts


def test_or_asks_whether_to_go_on_where_nothing_is_said(rota: Rota) -> None:
    rota.job("think", "steps: [{id: think, agent: Think.}]\n")
    rota.up()
    rota("run", "think")
    eventually(lambda: len(rota.lines("pids.txt")) == 1, "the agent is at work")
    rota.kill_daemon()
    rota.write("release", "")
    rota.up()
    asked = waiting(rota)
    assert asked["choices"] == ["retry", "resume", "skip", "fail"]
    rota("inbox", "answer", "think", "retry")
    assert ended(rota, "think") == "succeeded"
    assert len(list(rota.root.glob("talk-*"))) == 2, "it started afresh"
