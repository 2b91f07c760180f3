"""Agents that are cancelled, and kill -9 of the client, the spawner and the daemon: nothing goes on, nothing is paid twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.agent_bench import Bench, Going, bench
from tests.support.clients import CLIENTS
from tests.support.model_server import KEY, ModelServer, serving
from tests.support.rota import command_line, eventually

RUNNERS = ("command", "builtin", "claude", "codex", "pi")
# Where clients write down the results of their tools, and how.
RECORDS = {"claude": ("claude/projects", "tool_result"), "pi": ("pi/sessions", "toolResult")}
# A tool that will not end by itself, and leaves its session besides.
LONG = "setsid sleep 300 & echo $$ > {name}.pid; sleep 300\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving() as found:
        yield found


def in_a_tool(at: Bench, name: str, **keys: Any) -> Going:
    """A run whose agent is in the midst of using a tool."""
    at.rota.write(f"{name}.sh", LONG.format(name=name))
    call = at.client.run(f"sh {name}.sh")
    permissions = {"run": [f"sh {name}.sh"], "write": ["**"]}
    going = at.start({"calls": [call]}, "After all.", permissions=permissions, timeout="10m", **keys)
    eventually(lambda: at.rota.read(f"{name}.pid").strip(), f"the tool of {name} runs")
    return going


def clients_of(at: Bench, going: Going) -> list[psutil.Process]:
    """The processes of the client, without those of its tools: the oldest of the run, or the host that talks to the API."""
    if at.client.runner != "builtin":
        found = at.processes(going)
        return [process for process in found if process.pid == min(p.pid for p in found)]
    daemon = psutil.Process(at.rota.daemon_pid())
    port = int(at.server.url.rpartition(":")[2])
    return [child for child in daemon.children(recursive=True) if port in _ports_of(child)]


def _ports_of(process: psutil.Process) -> set[int | None]:
    """Those that it is connected to; none when it has ended."""
    with suppress(psutil.Error):
        return {getattr(line.raddr, "port", None) for line in process.net_connections()}
    return set()


def cancelled(at: Bench) -> None:
    going = at.start({"hang": "headers"}, timeout="10m")
    asked = at.server.wait_for(going.marker)
    assert KEY not in " ".join(command_line(process.pid) for process in at.processes(going))
    at.rota.quick("cancel", going.id)
    ended = at.ended(going)
    assert ended.state == "cancelled"
    eventually(lambda: asked.gone, "the client has let go of the API")
    at.nothing_left(going)
    assert (ended.used.tokens, len(ended.requests)) == (0, 1)


def cancelled_in_a_tool(at: Bench) -> None:
    going = in_a_tool(at, "cancelled")
    at.rota.quick("cancel", going.id)
    ended = at.ended(going)
    assert ended.state == "cancelled"
    at.nothing_left(going)
    if at.client.counts:
        assert ended.used.turns == 1, "what was answered before is paid for"


def client_killed(at: Bench) -> None:
    going = in_a_tool(at, "client")
    for process in clients_of(at, going):
        process.kill()
    ended = at.ended(going)
    assert (ended.state, ended.code) == ("failed", "killed" if at.client.free else "agent_interrupted"), (
        ended.why
    )
    at.nothing_left(going)
    if at.client.counts:
        assert ended.used.turns == 1


def spawner_killed(at: Bench) -> None:
    going = in_a_tool(at, "spawner")
    at.kill(at.spawner())
    ended = at.ended(going)
    at.nothing_left(going)
    if at.client.runner == "builtin":
        # Only its tool was the spawner's: the agent hears that it came to nothing, and goes on.
        assert (ended.state, ended.text) == ("succeeded", "After all."), ended.why
    else:
        assert (ended.state, ended.code) == ("failed", "spawner_ended"), ended.why
    if at.client.counts:
        assert ended.used.turns == ended.whole


def daemon_killed(at: Bench) -> None:
    call = at.call_write("now/done.md", "- once")
    last = {"text": "Finished.", "before": [{"hang": "headers"}]}
    going = at.start(
        {"calls": [call]}, last, permissions={"write": ["now/**"]}, on_interrupt="resume", timeout="10m"
    )
    at.server.wait_for(going.marker, turn=1)
    if at.client.runner in RECORDS:
        # It writes down what it has done a moment later; what is killed within that moment is done again.
        folder, mark = RECORDS[at.client.runner]
        talks = at.rota.root / ".rota/agents" / folder
        eventually(
            lambda: any(
                mark in text and going.marker in text
                for text in (file.read_text() for file in talks.rglob("*.jsonl"))
            ),
            "its record",
        )
    at.rota.kill_daemon()
    at.nothing_left(going)
    at.rota.up()
    ended = at.ended(going)
    assert (ended.state, ended.text) == ("succeeded", "Finished."), ended.why
    assert at.rota.read("now/done.md").strip() == "- once"
    assert [asked.turn for asked in ended.requests] == [0, 1, 1], "what was answered is not asked again"
    if at.client.counts:
        assert (ended.used.turns, ended.used.tokens) == (2, 220), "each response is paid for once"


@pytest.mark.parametrize("name", RUNNERS)
def test_an_agent_that_is_ended_from_outside(
    name: str, server: ModelServer, tmp_path: Path, subtests: Any
) -> None:
    client = CLIENTS[name]
    if client.missing:
        pytest.skip(client.missing)
    with bench(tmp_path / "work", server, client, patience=60) as at:
        for story in (cancelled, cancelled_in_a_tool, client_killed, spawner_killed, daemon_killed):
            with subtests.test(story.__name__):
                story(at)
