"""Claude Code, Codex and pi, the real programs, at work for jobs: what somebody who set one up sees.

The models' APIs are a stub on loopback. A client that is not installed is skipped by name: see ROTA_TEST_CLIENTS.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.agent_bench import Bench, bench
from tests.support.clients import CLIENTS, SECRET
from tests.support.model_server import KEY, ModelServer, serving
from tests.support.rota import eventually

NAMES = ("claude", "codex", "pi")
LONG = "setsid sleep 300 & echo $$ > long.pid; sleep 300\n"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving() as found:
        yield found


@pytest.fixture(params=NAMES)
def at(request: pytest.FixtureRequest, server: ModelServer, tmp_path: Path) -> Iterator[Bench]:
    """A workspace whose agent is one of the clients, and a home without anything of theirs."""
    client = CLIENTS[request.param]
    if client.missing:
        pytest.skip(client.missing)
    with bench(tmp_path / "work", server, client, patience=60) as found:
        yield found


def test_a_client_keeps_to_the_workspace(at: Bench, tmp_path: Path) -> None:
    call = at.call_write("now/plan.md", "- rest")
    going = at.start(
        {"text": "Writing it down.", "calls": [call]}, "Done.", permissions={"write": ["now/**"]}
    )
    ended = at.ended(going)
    assert (ended.state, ended.text.splitlines()[-1]) == ("succeeded", "Done."), ended.why
    assert at.rota.read("now/plan.md").strip() == "- rest"

    own = at.rota.root / ".rota/agents" / at.client.runner
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    left = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not [path for path in left if {".claude", ".codex", ".pi"} & set(path.parts)], left
    assert not (tmp_path / "home/.claude.json").exists()
    kept = [path for path in own.rglob("*") if path.is_file()]
    assert [path for path in kept if KEY.encode() in path.read_bytes()] == [], "the key is in no file"
    assert list((own / "tries").iterdir()) == []

    log = at.log(going).splitlines()
    assert "Writing it down." in log
    assert "turn 2: 100 in, 10 out" in log
    assert any(line.startswith("> ") and "plan.md" in line for line in log), log


def test_a_command_that_is_not_allowed_is_not_run_and_told(at: Bench) -> None:
    going = at.start(
        {"calls": [at.client.run("touch made.txt")]}, "I may not.", permissions={"run": ["git *"]}
    )
    ended = at.ended(going)
    assert (ended.state, ended.text) == ("succeeded", "I may not."), ended.why
    assert not (at.rota.root / "made.txt").exists()
    assert "denied: run touch made.txt" in at.log(going).splitlines()
    assert "denied by rota: `touch made.txt`" in ended.requests[1].text, "the agent hears why"


def test_a_cap_ends_the_client_and_what_it_runs(at: Bench) -> None:
    at.rota.write("long.sh", LONG)
    permissions = {"run": ["sh long.sh"], "write": ["**"]}
    calls = [at.client.run("sh long.sh")]
    going = at.start({"calls": calls}, "Never.", permissions=permissions, budget={"turns": 1}, timeout="10m")
    ended = at.ended(going)
    assert (ended.state, ended.code) == ("failed", "budget"), ended.why
    assert (ended.whole, ended.used.turns) == (1, 1)
    at.nothing_left(going)


def test_a_client_that_is_killed_leaves_nothing_and_says_so(at: Bench) -> None:
    at.rota.write("long.sh", LONG)
    permissions = {"run": ["sh long.sh"], "write": ["**"]}
    going = at.start(
        {"calls": [at.client.run("sh long.sh")]}, "Never.", permissions=permissions, timeout="10m"
    )
    eventually(lambda: at.rota.read("long.pid").strip(), "the command runs")
    at.kill(min(process.pid for process in at.processes(going)))
    ended = at.ended(going)
    assert (ended.state, ended.code) == ("failed", "agent_interrupted"), ended.why
    at.nothing_left(going)
    assert ended.used.turns == 1, "what was answered is paid for"


def test_a_conversation_goes_on_and_costs_what_came_on_top(at: Bench) -> None:
    first = at.run({"text": "The word is heron.", "usage": {"input": 300}}, job="talk", session="job")
    second = at.run({"text": "Heron.", "usage": {"input": 40, "output": 2}}, job="talk", session="job")
    assert [first.state, second.state] == ["succeeded", "succeeded"], second.why
    assert "The word is heron." in second.requests[0].text
    assert [first.used.tokens, second.used.tokens] == [310, 42]

    for file in (at.rota.root / ".rota/agents" / at.client.runner).rglob("*.jsonl"):
        file.unlink()
    third = at.run("Which word?", job="talk", session="job")
    assert (third.state, third.code) == ("failed", "session_gone"), third.why
    assert third.requests == [], "a conversation that is gone is not replaced by another"


def test_an_mcp_server_that_is_dead_fails_the_run(at: Bench) -> None:
    ended = at.run("Never.", mcp={"wiki": {"url": "http://127.0.0.1:1/mcp"}})
    assert ended.state == "failed"
    assert ended.code == ("no_mcp" if at.client.runner == "pi" else "mcp_server"), ended.why
    assert "wiki" in ended.why
    # claude says which servers it has as it asks for the first time: that may be answered before it is ended.
    assert ended.whole <= (at.client.runner == "claude"), "no model is asked for more"


def test_what_is_missing_is_said(at: Bench) -> None:
    said = at.rota.quick("agents", "--json").json
    runner = next(one for one in said["runners"] if one["name"] == at.client.runner)
    assert (runner["found"], runner["key"]) == (True, True)
    assert runner["version"][0].isdigit()
    at.rota.quick("secret", "rm", SECRET)
    ended = at.run("Never.")
    assert (ended.state, ended.requests) == ("failed", [])
    assert "not set up" in ended.why or SECRET in ended.why
    assert f'"key": "${{{SECRET}}}"' in at.rota.read(".rota/rota.yaml"), "the settings name it, and no more"
