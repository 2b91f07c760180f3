"""The codex runner: `codex exec` (OpenAI Codex), spawned without its node wrapper, sandboxed, policed by a hook."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from rota.model.agent import AgentSession, Outcome
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
from rota.runners.codex_stream import CodexStream

_KEYS = ("OPENAI_API_KEY", "CODEX_API_KEY")
_INSTALL = "npm install -g @openai/codex, or name it in `path:` under `agent: {codex: ...}`"
_LOGIN = "there is no key: `rota secret set OPENAI_API_KEY`, or log in once with `CODEX_HOME=.rota/agents/codex codex login`"
_HOME_OF_API = "https://api.openai.com/v1"
_SHARE = 3  # of the step's time: a silent API is given up after a third, asked twice at the most
# A hang before the first byte is the one that codex does not notice; a long answer makes it silent as well.
_SILENCE = 2.5


class CodexKeys(ClientKeys):
    """`agent: codex:` in rota.yaml."""


@dataclass(frozen=True)
class _Try:
    """One call of the client. `profile`: the name of the file that configures it."""

    request: AgentRequest
    ctx: StepContext
    keys: CodexKeys
    program: Path
    home: Path
    folder: Path
    patience: float

    @property
    def profile(self) -> str:
        """Unique among the tries of the workspace."""
        return f"rota-{self.folder.name}"


class CodexRunner:
    """Runs `codex exec` in the workspace, with a CODEX_HOME of the workspace's own."""

    key: ClassVar[str] = "codex"
    params: ClassVar[type[BaseModel]] = CodexKeys

    def configured(self, config: WorkspaceConfig) -> bool:
        """Whether the program is there, with a key or a login."""
        keys = written_keys(CodexKeys, self.key, config)
        return _program(keys) is not None and (has_key(keys, _KEYS, config) or _logged_in(config.root))

    async def state(self, ctx: RunnerContext) -> RunnerState:
        """Where it is, its version, whether it has a key."""
        keys = written_keys(CodexKeys, self.key, ctx.config)
        program = _program(keys, ctx.environment.get("PATH"))
        key = key_is_there(keys, _KEYS, ctx) or _logged_in(ctx.config.root)
        return await asyncio.to_thread(
            state_of, program, keys, name="codex", key=key, install=_INSTALL, login=_LOGIN
        )

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
        """Have the prompt worked on; a session is gone on with where the request has one."""
        keys = filled_keys(CodexKeys, self.key, ctx)
        program = _program(keys, ctx.env.get("PATH"))
        if program is None:
            raise not_found(self.key, "codex", keys, _INSTALL)
        home = home_of(ctx.workspace, self.key)
        patience = min(keys.patience, ctx.timeout / _SHARE)

        async def once(asked: AgentRequest) -> AgentResult:
            with try_folder(home, ctx) as folder:
                one = _Try(asked, ctx, keys, program, home, folder, patience)
                # A file in CODEX_HOME rather than arguments: those show in the list of processes.
                profile = write_private(home / f"{one.profile}.config.toml", _toml(_settings(one)))
                try:
                    return await _talk(one)
                finally:
                    profile.unlink(missing_ok=True)

        return await with_schema(request, ctx, lambda asked: or_begun(asked, ctx, once))


async def _talk(one: _Try) -> AgentResult:
    ctx, before = one.ctx, one.request.session
    stream = CodexStream(
        one.home,
        first_model(one.request.model, one.keys) or "codex",
        before=before.totals if before else {},
        gate=one.folder / "told.jsonl",
        resumed=before.id if before else None,
    )
    key = before.key if before else f"run:{ctx.run.id}:{ctx.step.id}"
    base = before or AgentSession(key, CodexRunner.key, "")

    def now() -> AgentSession:
        return replace(
            base, id=stream.session or base.id, model=stream.model, totals=stream.totals, open=True,
            updated_at=ctx.services.clock.now(),
        )  # fmt: skip

    async def progress(_session: str | None) -> None:
        if ctx.services.sessions is not None and stream.session is not None:
            await ctx.services.sessions.put(now())

    prompt = one.request.prompt.encode("utf-8", "replace")
    command = Command(_argv(one), ctx.workspace, _environment(one), prompt, ctx.limits)
    result = await Talk(ctx, stream, one.request.account, one.patience * _SILENCE, progress).hold(command)
    return replace(
        _in_words(result),
        session=replace(now(), open=False) if stream.session or before else None,
        denied=tuple(stream.denied),
        tool_calls=stream.tools,
    )


def _in_words(result: AgentResult) -> AgentResult:
    """What codex only says on stderr, or not at all."""
    if result.outcome is Outcome.DONE and not result.text.strip():
        detail = "codex ended well but gave no answer"
        return replace(result, outcome=Outcome.FAILED, code="empty_answer", detail=detail)
    if "no rollout found" in result.detail:
        detail = f"the conversation is gone: its files are not there any more ({result.detail})"
        return replace(result, detail=detail, code="session_gone", retry=False)
    _, found, why = result.detail.partition("MCP servers failed to initialize: ")
    if found:
        return replace(result, code="mcp_server", detail=f"MCP servers that did not start: {why}")
    return result


def _argv(one: _Try) -> list[str]:
    request = one.request
    argv = [str(one.program), "exec", *one.keys.args, "--json", "--skip-git-repo-check", "--color", "never"]
    argv += ["-p", one.profile, "-C", str(one.ctx.workspace), "--dangerously-bypass-hook-trust"]
    if request.schema is not None:
        argv += [
            "--output-schema",
            str(write_private(one.folder / "schema.json", json.dumps(request.schema))),
        ]
    return [*argv, *(["resume", request.session.id] if request.session and request.session.id else []), "-"]


def _settings(one: _Try) -> dict[str, Any]:
    """What codex is to know, as its config.toml has it."""
    request, keys, permissions = one.request, one.keys, one.request.permissions
    settings: dict[str, Any] = {
        "approval_policy": "never",
        "sandbox_mode": "workspace-write" if permissions.write else "read-only",
        "web_search": "live" if "*" in permissions.net else "disabled",
        "check_for_update_on_startup": False,
        "analytics": {"enabled": False},
        "history": {"persistence": "none"},
        "features": {"apps": False, "plugins": False},
        "agents": {"enabled": False},
        "shell_environment_policy": {"exclude": list(_KEYS)},
        "sandbox_workspace_write": {
            "network_access": bool(permissions.net),
            "exclude_slash_tmp": True,
        },
        "hooks": {
            "PreToolUse": [{"hooks": [{"type": "command", "command": _gate_command(one), "timeout": 30}]}]
        },
    }
    model = first_model(request.model, keys)
    if model:
        settings["model"] = model
    if request.system:
        settings["developer_instructions"] = request.system
    if keys.base_url or key_of(keys, _KEYS, one.ctx):
        settings["model_provider"] = "rota"
        settings["model_providers"] = {"rota": _provider(one)}
    if request.mcp:
        settings["mcp_servers"] = {name: _server(server, one.ctx.env) for name, server in request.mcp.items()}
    return settings


def _provider(one: _Try) -> dict[str, Any]:
    return {
        "name": "rota",
        "base_url": one.keys.base_url or _HOME_OF_API,
        "env_key": _KEYS[0],
        "wire_api": "responses",
        # Of requests it tries again only after what the API asks for, be it an hour, without a word.
        "request_max_retries": 0,
        "stream_max_retries": 1,
        "stream_idle_timeout_ms": int(one.patience * 1000),
    }


def _gate_command(one: _Try) -> str:
    request = one.request
    rules = _gate.rules_of(
        one.ctx.workspace,
        request.permissions,
        request.session.grants if request.session else (),
        tuple(request.mcp),
        told=str(one.folder / "told.jsonl"),
        silent=True,
    )
    file = write_private(one.folder / "rules.json", json.dumps(rules))
    return shlex.join([sys.executable, "-IS", str(Path(_gate.__file__).resolve()), str(file)])


def _server(server: Mapping[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """An MCP server in codex's words. Without `required` a dead one would fail nothing. Its tools are the job's to allow:
    without a word about approval codex refuses those that change something, since nobody is there to ask.
    """
    usual = {"required": not server.get("optional"), "default_tools_approval_mode": "approve"}
    if "url" in server:
        return {"url": server["url"], "http_headers": dict(server.get("headers") or {}), **usual}
    # Codex passes little of its environment on; by these marks the server is swept, and `rota mcp` knows its run.
    marks = {name: value for name, value in env.items() if name.startswith("ROTA_")}
    given = {**marks, **(server.get("env") or {})}
    return {"command": server["command"], "args": list(server.get("args") or ()), "env": given, **usual}


def _environment(one: _Try) -> dict[str, str]:
    # Codex puts no helpers of its sandbox below a folder for temporary files, as where a workspace in /tmp has them.
    temporary = one.folder / "tmp"
    temporary.mkdir(exist_ok=True, mode=0o700)
    env = {**one.ctx.env, "CODEX_HOME": str(one.home), "NO_COLOR": "1", "TMPDIR": str(temporary)}
    key = key_of(one.keys, _KEYS, one.ctx)
    for name in _KEYS:
        env.pop(name, None)
    if key is not None:
        env[_KEYS[0]] = key
    return env


def _toml(settings: Mapping[str, Any]) -> str:
    """Settings as TOML: root keys first, tables inline. JSON's strings are TOML's, too."""
    return "".join(f"{_toml_key(name)} = {_toml_value(value)}\n" for name, value in settings.items())


def _toml_value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case Mapping():
            inner = ", ".join(f"{_toml_key(name)} = {_toml_value(item)}" for name, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
        case list() | tuple():
            return f"[{', '.join(_toml_value(item) for item in value)}]"
        case _:
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007F")


def _toml_key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _program(keys: ClientKeys, search: str | None = None) -> Path | None:
    """The native program in the npm package, whose wrapper in node leaves it behind when killed; else what there is."""
    found = find_program("codex", keys.path, search)
    if found is None:
        return None
    real = found.resolve()
    if real.suffix != ".js":
        return found
    for modules in (folder for folder in real.parents if folder.name == "node_modules"):
        natives = sorted(modules.glob("@openai/codex-*/vendor/*/bin/codex"))
        if natives:
            return natives[0]
    inside = sorted(real.parents[1].glob("**/vendor/*/bin/codex"))
    return inside[0] if inside else found


def _logged_in(root: str) -> bool:
    return bool(root) and Path(root, ".rota", "agents", "codex", "auth.json").is_file()
