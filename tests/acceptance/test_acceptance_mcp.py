"""Agents at rota's tools, over both transports: with the protocol's own client, and with the clients that people have."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent
from tests.support.clients import CLIENTS as RUNNERS
from tests.support.clients import SECRET, find
from tests.support.hooks import url_of
from tests.support.model_server import KEY, ModelServer, script, serving
from tests.support.rota import WITHIN, Rota, eventually, new_workspace

HELLO = {"id": "hello", "schedule": "0 8 * * *", "run": "echo hello", "why": "somebody asked for it"}
TRANSPORTS = ["stdio", "http"]
# The handshake of earlier versions of the protocol, and what the client makes of it by itself.
MODES = ["legacy", "auto"]
ASKS_FROM_A_RUN = """\
import asyncio, os, sys
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

async def main():
    server = StdioServerParameters(command=sys.executable, args=["-m", "rota", "mcp"], env=dict(os.environ))
    async with Client(stdio_client(server)) as client:
        for tool, arguments in (("job_run", {"job": "asks"}), ("job_create", {"id": "made", "run": "true"})):
            result = await client.call_tool(tool, arguments)
            print(result.content[0].text)

asyncio.run(main())
"""


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    with new_workspace(tmp_path / "desk") as rota:
        yield rota


def key_of(rota: Rota, *options: str, name: str = "laptop") -> str:
    """A new key."""
    return rota.quick("token", "create", name, *options).out.strip()


def mcp_url(rota: Rota) -> str:
    """Where the door of a running daemon has the tools."""
    return url_of(rota).rstrip("/") + "/mcp"


@asynccontextmanager
async def connected(rota: Rota, transport: str, mode: str = "auto", key: str = "") -> AsyncIterator[Client]:
    """A client that calls itself nothing in particular, as the agent `tester`."""
    if transport == "stdio":
        argv = rota.argv("mcp", "--agent", "tester")
        server = StdioServerParameters(command=argv[0], args=argv[1:], env=rota.environment())
        async with Client(stdio_client(server), mode=mode) as client:
            yield client
        return
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=WITHIN) as http,
        Client(streamable_http_client(mcp_url(rota), http_client=http), mode=mode) as client,
    ):
        yield client


async def use(client: Client, tool: str, **arguments: Any) -> tuple[str, bool]:
    """What a tool says, and whether it is an error."""
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text, bool(result.is_error)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_an_agent_looks_proposes_and_hears_what_was_decided(rota: Rota, transport: str, mode: str) -> None:
    key = ""
    if transport == "http":
        rota.up()
        key = key_of(rota, "--agent", "tester")

    async def first() -> None:
        async with connected(rota, transport, mode, key) as client:
            assert "job_create" in (client.instructions or "")
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert tools["job_list"].annotations is not None
            assert tools["job_list"].annotations.read_only_hint
            assert tools["job_create"].input_schema["required"] == ["id"]
            assert await use(client, "job_list") == ("There are no such jobs.", False)
            said, failed = await use(client, "job_show", job="nothing")
            assert failed
            assert "there is no job `nothing`" in said
            said, failed = await use(client, "job_create", **HELLO)
            assert said.startswith("Proposed as P-1")

    async def then() -> None:
        async with connected(rota, transport, mode, key) as client:
            said, _ = await use(client, "proposal_show", proposal="P-1")
            assert '"state": "applied"' in said
            said, _ = await use(client, "job_show", job="hello")
            assert "tester (P-1)" in said

    asyncio.run(first())
    (waiting,) = rota.quick("inbox", "--json").json
    assert (waiting["proposal"], waiting["agent"]["name"], waiting["why"]) == ("P-1", "tester", HELLO["why"])
    assert rota.ids() == []
    assert "+run: echo hello" in rota.quick("inbox", "show", "P-1").out
    rota.quick("approve", "P-1")
    assert rota.ids() == ["hello"]
    assert "the agent tester (P-1, approved by" in rota.quick("show", "hello").out
    asyncio.run(then())


def test_a_person_denies_and_the_agent_reads_why(rota: Rota) -> None:
    async def act() -> None:
        async with connected(rota, "stdio") as client:
            await use(client, "job_create", **HELLO)
            rota.quick("deny", "P-1", "--reason", "not on this machine")
            said, _ = await use(client, "proposal_show", proposal="P-1")
            assert "not on this machine" in said
            said, failed = await use(client, "job_create", **HELLO)
            assert failed
            assert "not on this machine" in said

    asyncio.run(act())
    assert rota.ids() == []


def test_a_run_that_an_agent_starts_runs_and_says_who_started_it(rota: Rota) -> None:
    rota.job("work", "run: echo worked\n")
    rota.up()
    key = key_of(rota, "--agent", "tester")

    async def act() -> str:
        async with connected(rota, "http", key=key) as client:
            said, failed = await use(client, "job_run", job="work")
            assert not failed, said
            for _ in range(600):
                if "succeeded" in (await use(client, "run_list", job="work"))[0]:
                    break
                await asyncio.sleep(0.1)
            return (await use(client, "run_logs", run="work"))[0]

    assert "worked" in asyncio.run(act())
    assert "started by the agent tester" in rota.quick("why", "work").out


def test_what_an_agent_does_in_a_run_is_known_to_be_of_that_run(rota: Rota) -> None:
    rota.write("ask.py", ASKS_FROM_A_RUN)
    rota.job("asks", f"run: {sys.executable} ask.py\ntimeout: 2m\n")
    rota("run", "asks", "--wait")
    (run,) = rota.runs("asks")
    assert run["state"] == "succeeded"
    assert "its own job" in rota.quick("logs", "asks").out
    (waiting,) = rota.quick("inbox", "--json").json
    assert (waiting["job"], waiting["agent"]["run"], waiting["agent"]["job"]) == ("made", run["id"], "asks")


def test_commands_that_an_agent_types_in_a_run_go_the_same_way(rota: Rota) -> None:
    lines = ['add made --schedule daily --run "echo made"', "pause asks", "run asks", "approve asks", "list"]
    program = "".join(f"{sys.executable} -m rota {line} 2>&1\n" for line in lines)
    rota.write("agent.sh", f"{program}exit 0\n")
    rota.write(".rota/rota.yaml", "timezone: UTC\nagent: {command: sh agent.sh}\n")
    rota.job("asks", "steps: [{agent: Do what you like.}]\n")
    rota("run", "asks", "--wait")
    said = rota.quick("logs", "asks").out
    assert "Proposed as P-1: create the job `made`" in said
    assert "Proposed as P-2: pause the job `asks`" in said
    assert "cannot start its own job" in said
    assert "an agent cannot decide" in said
    waiting = rota.quick("inbox", "--json").json
    assert [one["agent"]["job"] for one in waiting] == ["asks", "asks"]
    assert rota.ids() == ["asks"]


def test_an_agent_in_a_run_has_the_tools_that_its_step_may_use(rota: Rota) -> None:
    rota.write(
        "agent.sh",
        f"{sys.executable} -m rota add made --run true 2>&1\n{sys.executable} -m rota pause bound 2>&1\n",
    )
    rota.write(".rota/rota.yaml", "timezone: UTC\nagent: {command: sh agent.sh}\n")
    rota.job("bound", "steps: [{agent: Do what you like., permissions: {rota: [job_pause]}}]\n")
    rota("run", "bound", "--wait")
    said = rota.quick("logs", "bound").out
    assert "may not use `job_create`" in said
    assert "Proposed as P-1: pause the job `bound`" in said


def post(rota: Rota, **headers: str) -> httpx.Response:
    """A request of the simplest kind."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    wanted = {"accept": "application/json, text/event-stream", **headers}
    return httpx.post(mcp_url(rota), json=body, headers=wanted, timeout=WITHIN)


def test_the_door_lets_in_who_has_a_key_and_nobody_else(rota: Rota) -> None:
    rota.up()
    key = key_of(rota)
    bearer = f"Bearer {key}"
    assert post(rota).status_code == 401
    assert post(rota).headers["www-authenticate"].startswith("Bearer")
    assert post(rota, authorization="Bearer rota_guess").status_code == 401
    assert post(rota, authorization=f"Basic {key}").status_code == 401
    assert post(rota, authorization=bearer).json() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert post(rota, authorization=bearer, origin="https://evil.example").status_code == 403
    assert post(rota, authorization=bearer, origin="http://localhost:3000").status_code == 200
    assert post(rota, authorization=bearer, host="evil.example").status_code == 421
    assert httpx.get(mcp_url(rota), headers={"authorization": bearer}).status_code == 405
    large = httpx.post(mcp_url(rota), content=b"x" * 2_000_000, headers={"authorization": bearer})
    assert large.status_code == 413
    (token,) = rota.quick("token", "list", "--json").json
    assert token["used_at"] is not None
    rota.quick("token", "revoke", "laptop")
    assert post(rota, authorization=bearer).status_code == 401
    kept = b"".join(path.read_bytes() for path in (rota.root / ".rota").glob("state.db*"))
    kept += (rota.root / ".rota/logs/daemon.log").read_bytes()
    assert key.encode() not in kept


def test_a_key_is_for_the_tools_that_its_scopes_name(rota: Rota) -> None:
    rota.up()
    key = key_of(rota, "--scopes", "look")

    async def act() -> None:
        async with connected(rota, "http", key=key) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"job_list", "whoami"} <= names
            assert "job_create" not in names
            said, failed = await use(client, "job_create", **HELLO)
            assert failed
            assert "not among the tools" in said

    asyncio.run(act())
    assert rota.quick("inbox", "--json").json == []


def test_a_run_cannot_decide_about_what_agents_propose(rota: Rota) -> None:
    from tests.support.proposals import wish_for_a_job

    wish_for_a_job(rota.root, "wished")
    said = rota("approve", "P-1", code=1, env={"ROTA_RUN_ID": "some-run"})
    assert "cannot decide" in said.err
    assert rota.ids() == []


# Both clients ask the model before they have connected, and list the tools that are there by then: it takes its time,
# in seconds, so that its next answer finds them.
CONNECTS = 8
WAITS = {"calls": [{"name": "WaitForMcpServers"}], "delay": CONNECTS}
# Clients that people have. Their tool is called by the script that the stub of the model answers with.


def settings_for(rota: Rota, transport: str, agent: str) -> dict[str, Any]:
    """How a client reaches rota's tools."""
    if transport == "stdio":
        argv = rota.argv("mcp", "--agent", agent)
        return {"command": argv[0], "args": argv[1:]}
    rota.up()
    return {"url": mcp_url(rota), "key": key_of(rota, "--agent", agent)}


def wish(agent: str) -> dict[str, str]:
    return {"id": f"by-{agent}", "schedule": "0 8 * * *", "run": "echo hello", "why": "the person asked"}


def spawn(argv: list[str], rota: Rota, env: Mapping[str, str]) -> str:
    """A client's whole run; what it printed."""
    clean = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        argv, cwd=rota.root, env={**clean, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=3 * WITHIN, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout + done.stderr


def run_claude(rota: Rota, transport: str, server: ModelServer, program: str) -> str:
    about = settings_for(rota, transport, "claude")
    if transport == "http":
        about = {"type": "http", "url": about["url"], "headers": {"Authorization": f"Bearer {about['key']}"}}
    rota.write(".mcp.json", json.dumps({"mcpServers": {"rota": about}}))
    calls = [{"name": "mcp__rota__job_create", "args": wish("claude")}]
    prompt = script(WAITS, {"calls": calls}, "done")
    argv = [
        *(program, "-p", "--output-format", "stream-json", "--verbose", "--model", "claude-haiku-4-5"),
        *("--setting-sources", "", "--mcp-config", ".mcp.json", "--strict-mcp-config"),
        *("--permission-mode", "dontAsk", "--allowedTools", "mcp__rota__*", "--", prompt),
    ]
    home = str(rota.root.parent / "home")
    env = {
        "ANTHROPIC_BASE_URL": server.url,
        "ANTHROPIC_API_KEY": KEY,
        "HOME": home,
        "CLAUDE_CONFIG_DIR": home,
    }
    return spawn(
        argv, rota, {**env, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    )


def run_codex(rota: Rota, transport: str, server: ModelServer, program: str) -> str:
    about, home = settings_for(rota, transport, "codex"), rota.root.parent / "home"
    if transport == "stdio":
        place = f"command = {json.dumps(about['command'])}\nargs = {json.dumps(about['args'])}\n"
    else:
        place = f'url = "{about["url"]}"\nbearer_token_env_var = "ROTA_TOKEN"\n'
    home.mkdir()
    (home / "config.toml").write_text(
        f'model = "gpt-5"\nmodel_provider = "stub"\n[model_providers.stub]\nname = "stub"\n'
        f'base_url = "{server.openai_url}"\nenv_key = "STUB_KEY"\nwire_api = "responses"\n'
        # Of a model that it does not know, it cannot say that it searches for tools: they are listed.
        "[features]\ntool_search_always_defer_mcp_tools = false\n"
        f'[mcp_servers.rota]\n{place}required = true\nstartup_timeout_sec = 60\ndefault_tools_approval_mode = "approve"\n'
    )
    # It lists the tools that are there when it asks.
    prompt = script(
        {"calls": [{"name": "exec_command", "args": {"cmd": f"sleep {CONNECTS}"}}]},
        {"calls": [{"name": "mcp__rota/job_create", "args": wish("codex")}]},
        "done",
    )
    argv = [
        program,
        "exec",
        "--json",
        "--skip-git-repo-check",
        "-C",
        str(rota.root),
        "-s",
        "workspace-write",
        prompt,
    ]
    env = {
        "HOME": str(home),
        "CODEX_HOME": str(home),
        "STUB_KEY": KEY,
        "ROTA_TOKEN": str(about.get("key", "")),
    }
    return spawn(argv, rota, env)


CLIENTS = {"claude": run_claude, "codex": run_codex}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_that_people_have_proposes_a_job(rota: Rota, name: str, transport: str) -> None:
    program = find(name)
    if program is None:
        pytest.skip(f"{name} is not installed here (see ROTA_TEST_CLIENTS)")
    with serving() as server:
        said = CLIENTS[name](rota, transport, server, program)
    waiting = rota.quick("inbox", "--json").json
    assert [one["job"] for one in waiting] == [f"by-{name}"], said[-3000:]
    assert waiting[0]["agent"]["name"] == name
    rota.quick("approve", waiting[0]["proposal"])
    assert rota.ids() == [f"by-{name}"]
    eventually(lambda: f"the agent {name}" in rota.quick("show", f"by-{name}").out, "it says who made it")


@pytest.mark.parametrize("name", ["builtin", "claude"])
def test_an_agent_step_has_the_tools_and_is_known_by_its_run(rota: Rota, name: str) -> None:
    """The builtin agent by itself, a client by an MCP server that the step names."""
    runner = RUNNERS[name]
    if runner.missing is not None:
        pytest.skip(runner.missing)
    own = name == "builtin"
    with serving() as server:
        rota.write(".rota/rota.yaml", json.dumps({"timezone": "UTC", "agent": runner.settings(server, 60.0)}))
        rota("secret", "set", SECRET, stdin=KEY)
        calls = [
            {"name": tool if own else f"mcp__rota__{tool}", "args": args}
            for tool, args in (("job_create", wish(name)), ("card_create", {"title": "Test Task"}))
        ]
        step: dict[str, Any] = {
            "agent": f"Plan it. {script(*([] if own else [WAITS]), {'calls': calls}, 'done')}",
            "runner": runner.runner,
            "model": runner.model,
            "timeout": "2m",
        }
        if not own:
            argv = rota.argv("mcp", "--agent", name)
            step["mcp"] = {"rota": {"command": argv[0], "args": argv[1:]}}
        rota.write(".rota/jobs/plan.json", json.dumps({"steps": [step]}))
        rota("run", "plan", "--wait")
    (run,) = rota.runs("plan")
    said = rota.quick("logs", "plan").out
    assert run["state"] == "succeeded", said
    waiting, *others = rota.quick("inbox", "--json").json or [{}]
    assert (waiting.get("job"), others) == (f"by-{name}", []), said
    about = waiting["agent"]
    assert (waiting["job"], about["name"], about["run"], about["job"]) == (
        f"by-{name}",
        name,
        run["id"],
        "plan",
    )
    assert "Test Task" in rota.quick("board").out
