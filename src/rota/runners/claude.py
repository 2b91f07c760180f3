"""The claude runner: `claude -p` (Claude Code), spawned, read, policed by a hook, and ended by rota."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from rota.model.agent import AgentSession, Denial, Outcome
from rota.model.config import WorkspaceConfig
from rota.ports.agents import AgentRequest, AgentResult, RunnerContext, RunnerState
from rota.ports.processes import Command
from rota.ports.steps import StepContext
from rota.runners import _gate
from rota.runners._client import (
    ClientKeys,
    filled_keys,
    find_program,
    first_model,
    has_key,
    home_of,
    key_is_there,
    key_of,
    not_found,
    state_of,
    try_folder,
    write_private,
    written_keys,
)
from rota.runners._structured import with_schema
from rota.runners._talk import Talk, or_begun
from rota.runners.claude_stream import ClaudeStream

_KEYS = ("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN")
_OAUTH = "sk-ant-oat"  # how the tokens of `claude setup-token` begin
_INSTALL = "npm install -g @anthropic-ai/claude-code, or name it in `path:` under `agent: {claude: ...}`"
_LOGIN = (
    "there is no key: `rota secret set ANTHROPIC_API_KEY`, or log in once with "
    "`CLAUDE_CONFIG_DIR=.rota/agents/claude claude`"
)
_TOOLS = ("Bash", "Read", "Edit", "Write", "NotebookEdit", "Glob", "Grep", "WebFetch", "WebSearch")
# What tools are called elsewhere in rota.
_NAMES = {
    "run": "Bash", "read": "Read", "edit": "Edit", "write": "Write", "list": "Glob", "search": "Grep", "http": "WebFetch",
}  # fmt: skip
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}
# The client's own guard besides the hook: it keeps these from being searched as well as from being read.
_CLOSED = ("Read(./.rota/agents/**)", "Read(./.rota/secrets*)", "Read(./.rota/state.db*)")
_SERVERS_START = 30_000  # milliseconds
_SHARE = 3  # of the step's time: a silent API is given up after a third, asked twice at the most


class ClaudeKeys(ClientKeys):
    """`agent: claude:` in rota.yaml."""


@dataclass(frozen=True)
class _Try:
    """One call of the client."""

    request: AgentRequest
    ctx: StepContext
    keys: ClaudeKeys
    program: Path
    home: Path
    folder: Path
    session: str
    patience: float


class ClaudeRunner:
    """Runs `claude -p` in the workspace, with a configuration folder of the workspace's own."""

    key: ClassVar[str] = "claude"
    params: ClassVar[type[BaseModel]] = ClaudeKeys
    aliases: ClassVar[frozenset[str]] = frozenset({"default", "best", "sonnet", "opus", "haiku", "opusplan"})

    def configured(self, config: WorkspaceConfig) -> bool:
        """Whether the program is there, with a key or a login."""
        keys = written_keys(ClaudeKeys, self.key, config)
        return _program(keys) is not None and (has_key(keys, _KEYS, config) or _logged_in(config.root))

    async def state(self, ctx: RunnerContext) -> RunnerState:
        """Where it is, its version, whether it has a key."""
        keys = written_keys(ClaudeKeys, self.key, ctx.config)
        program = _program(keys, ctx.environment.get("PATH"))
        key = key_is_there(keys, _KEYS, ctx) or _logged_in(ctx.config.root)
        return await asyncio.to_thread(
            state_of, program, keys, name="claude", key=key, install=_INSTALL, login=_LOGIN
        )

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
        """Have the prompt worked on; a session is gone on with where the request has one."""
        keys = filled_keys(ClaudeKeys, self.key, ctx)
        program = _program(keys, ctx.env.get("PATH"))
        if program is None:
            raise not_found(self.key, "claude", keys, _INSTALL)
        home = home_of(ctx.workspace, self.key)
        patience = min(keys.patience, ctx.timeout / _SHARE)

        async def once(asked: AgentRequest) -> AgentResult:
            known = asked.session.id if asked.session else ""
            session = known or asked.session_id or str(uuid.uuid4())
            with try_folder(home, ctx) as folder:
                return await _talk(_Try(asked, ctx, keys, program, home, folder, session, patience))

        return await with_schema(request, ctx, lambda asked: or_begun(asked, ctx, once))


async def _talk(one: _Try) -> AgentResult:
    ctx, before = one.ctx, one.request.session
    stream = ClaudeStream(
        before=before.totals if before else {},
        servers=tuple(name for name, server in one.request.mcp.items() if not server.get("optional")),
        wait=min(30.0, one.patience / 2),
        root=str(ctx.workspace),
    )
    now = _session(one, {})

    async def progress(session: str | None) -> None:
        nonlocal now
        now = replace(_session(one, stream.totals), id=session or now.id)
        if ctx.services.sessions is not None:
            await ctx.services.sessions.put(now)

    command = Command(
        _argv(one),
        ctx.workspace,
        _environment(one),
        one.request.prompt.encode("utf-8", "replace"),
        ctx.limits,
    )
    # Twice the client's own patience: it is the first to notice, where it notices at all.
    talk = Talk(ctx, stream, one.request.account, one.patience * 1.25, progress)
    result = await talk.hold(command)
    if result.outcome is Outcome.DONE and not result.text.strip() and result.structured is None:
        result = replace(
            result, outcome=Outcome.FAILED, code="empty_answer", detail="claude ended well but gave no answer"
        )
    begun = stream.session is not None or before is not None  # else there is nothing to go on with
    return replace(
        result,
        session=replace(_session(one, stream.totals), id=stream.session or now.id, open=False)
        if begun
        else None,
        denied=tuple(dict.fromkeys(stream.denied.values())),
        tool_calls=stream.tools,
    )


def _session(one: _Try, totals: Mapping[str, Any]) -> AgentSession:
    before, ctx = one.request.session, one.ctx
    key = before.key if before else f"run:{ctx.run.id}:{ctx.step.id}"
    base = before or AgentSession(key, ClaudeRunner.key, one.session)
    model = first_model(one.request.model, one.keys)
    return replace(
        base, id=one.session, model=model, totals=totals, open=True, updated_at=ctx.services.clock.now()
    )


def _argv(one: _Try) -> list[str]:
    request, folder = one.request, one.folder
    argv = [str(one.program), "-p", *one.keys.args, "--output-format", "stream-json", "--verbose"]
    argv += ["--include-partial-messages", "--setting-sources", "", "--strict-mcp-config"]
    argv += [
        "--disable-slash-commands",
        "--permission-mode",
        "dontAsk",
        "--tools",
        ",".join(_tools(request.tools)),
    ]
    argv += ["--settings", str(write_private(folder / "settings.json", json.dumps(_settings(one))))]
    argv += ["--resume" if request.session and request.session.id else "--session-id", one.session]
    model = first_model(request.model, one.keys)
    if model:
        argv += ["--model", model]
    if request.system:
        argv += ["--append-system-prompt-file", str(write_private(folder / "system.md", request.system))]
    if request.mcp:
        servers = {name: _server(server) for name, server in request.mcp.items()}
        file = write_private(folder / "mcp.json", json.dumps({"mcpServers": servers}))
        argv += ["--mcp-config", str(file)]
    if request.schema is not None:
        argv += ["--json-schema", json.dumps(request.schema)]
    caps = request.account.caps if request.account else None
    if caps and caps.usd is not None:
        argv += ["--max-budget-usd", f"{max(caps.usd, 0.0001):.4f}"]
    if caps and caps.turns is not None:
        argv += ["--max-turns", str(max(1, caps.turns))]
    return argv


def _tools(wanted: Sequence[str] | None) -> list[str]:
    return list(_TOOLS) if wanted is None else [_NAMES.get(name, name) for name in wanted]


def _settings(one: _Try) -> dict[str, Any]:
    """The hook before every tool, and what is closed to the client's own reading."""
    request = one.request
    grants: tuple[Denial, ...] = request.session.grants if request.session else ()
    rules = _gate.rules_of(one.ctx.workspace, request.permissions, grants, tuple(request.mcp))
    file = write_private(one.folder / "rules.json", json.dumps(rules))
    command = shlex.join([sys.executable, "-IS", str(Path(_gate.__file__).resolve()), str(file)])
    hook = {"matcher": "*", "hooks": [{"type": "command", "command": command, "timeout": 30}]}
    return {
        "hooks": {"PreToolUse": [hook]},
        "permissions": {"deny": list(_CLOSED)},
        "skipWebFetchPreflight": True,
    }


def _server(server: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in server.items() if key != "optional"}
    return {"type": "http" if "url" in server else "stdio", **told}


def _environment(one: _Try) -> dict[str, str]:
    milliseconds = str(int(one.patience * 1000))
    env = {
        **one.ctx.env,
        **_QUIET,
        "CLAUDE_CONFIG_DIR": str(one.home),
        "CLAUDE_CODE_MAX_RETRIES": "1",
        "API_TIMEOUT_MS": milliseconds,
        # It waits for its MCP servers before the first request: else that goes out without their tools.
        "MCP_CONNECTION_NONBLOCKING": "0",
        "MCP_TIMEOUT": str(_SERVERS_START),
        "MCP_CONNECT_TIMEOUT_MS": str(_SERVERS_START),
    }
    key = key_of(one.keys, _KEYS, one.ctx)
    for name in _KEYS:
        env.pop(name, None)
    if key is not None:
        env[_KEYS[key.startswith(_OAUTH)]] = key
        # Read before each command of the agent's shell: what it runs does not get the key.
        env["CLAUDE_ENV_FILE"] = str(write_private(one.folder / "env.sh", f"unset {' '.join(_KEYS)}\n"))
    if one.keys.base_url:
        env["ANTHROPIC_BASE_URL"] = one.keys.base_url
    return env


def _program(keys: ClientKeys, search: str | None = None) -> Path | None:
    """The program of the settings, the one on PATH, or the one that the wheel of claude-agent-sdk brings along."""
    found = find_program("claude", keys.path, search)
    if found is not None or keys.path is not None:
        return found
    try:
        sdk = find_spec("claude_agent_sdk")
    except (ImportError, ValueError):
        return None
    places = [] if sdk is None else list(sdk.submodule_search_locations or ())
    return next((file for place in places if (file := Path(place, "_bundled", "claude")).is_file()), None)


def _logged_in(root: str) -> bool:
    return bool(root) and Path(root, ".rota", "agents", "claude", ".credentials.json").is_file()
