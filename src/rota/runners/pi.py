"""The pi runner: `pi --mode json`, which knows no permissions: rota's gate is put into it, and a sandbox around it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from rota.model.agent import AgentSession, Outcome
from rota.model.config import WorkspaceConfig
from rota.model.errors import StepError
from rota.ports.agents import AgentRequest, AgentResult, RunnerContext, RunnerState
from rota.ports.files import write_atomic
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
from rota.runners._sandbox import bubblewrap, sandboxed
from rota.runners._structured import schema_words, with_schema
from rota.runners._talk import Talk
from rota.runners.pi_stream import PiStream

_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "google": "GEMINI_API_KEY"}
_INSTALL = "npm install -g @earendil-works/pi-coding-agent, or name it in `path:` under `agent: {pi: ...}`"
_LOGIN = "there is no key for its model: `rota secret set ANTHROPIC_API_KEY`, or another provider's"
_READING = ("read", "grep", "find", "ls")
_TOOLS = (*_READING, "bash", "edit", "write")
_NAMES = {"run": "bash", "list": "ls", "search": "grep"}
_SHARE = 3  # of the step's time: a silent API is given up after a third, asked twice at the most


class PiKeys(ClientKeys):
    """`agent: pi:` in rota.yaml. `model`: as `provider/model`."""


@dataclass(frozen=True)
class _Try:
    """One call of the client. `conversation`: the file that it is kept in."""

    request: AgentRequest
    ctx: StepContext
    keys: PiKeys
    program: Path
    home: Path
    folder: Path
    model: str
    conversation: Path
    patience: float

    @property
    def provider(self) -> str:
        """Whose model it is."""
        return self.model.partition("/")[0]


class PiRunner:
    """Runs `pi` in the workspace, with a configuration folder of the workspace's own."""

    key: ClassVar[str] = "pi"
    params: ClassVar[type[BaseModel]] = PiKeys

    def configured(self, config: WorkspaceConfig) -> bool:
        """Whether the program is there, with a model and a key for it."""
        keys = written_keys(PiKeys, self.key, config)
        model = keys.model or config.agent.model or ""
        return find_program("pi", keys.path) is not None and has_key(keys, _usual(model), config)

    async def state(self, ctx: RunnerContext) -> RunnerState:
        """Where it is, its version, whether it has a key."""
        keys = written_keys(PiKeys, self.key, ctx.config)
        program = find_program("pi", keys.path, ctx.environment.get("PATH"))
        key = key_is_there(keys, _usual(keys.model or ""), ctx)
        return await asyncio.to_thread(
            state_of, program, keys, name="pi", key=key, install=_INSTALL, login=_LOGIN
        )

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
        """Have the prompt worked on; a session is gone on with where the request has one."""
        keys = filled_keys(PiKeys, self.key, ctx)
        program = find_program("pi", keys.path, ctx.env.get("PATH"))
        if program is None:
            raise not_found(self.key, "pi", keys, _INSTALL)
        if request.mcp:
            raise StepError(
                f"pi knows no MCP servers, and the step names {', '.join(request.mcp)}",
                code="no_mcp", permanent=True, hint="use `runner: claude` or `runner: codex`, or take away `mcp:`",
            )  # fmt: skip
        model = _model(first_model(request.model, keys))
        home = home_of(ctx.workspace, self.key)
        _configure(home, keys, model.partition("/")[0], min(keys.patience, ctx.timeout / _SHARE))
        if request.schema is not None:
            request = replace(
                request, prompt=f"{request.prompt.rstrip()}\n\n{schema_words(request.schema)}\n"
            )

        async def once(asked: AgentRequest) -> AgentResult:
            known = asked.session.id if asked.session else ""
            file = home / "sessions" / (known or _new_name(asked, ctx))
            # One that failed before its first answer has left no file, and is begun anew.
            if asked.session and asked.session.totals.get("answers") and not file.is_file():
                detail = f"the conversation is gone: {file.name} is not there any more"
                return AgentResult(Outcome.FAILED, detail=detail, code="session_gone", retry=False)
            patience = min(keys.patience, ctx.timeout / _SHARE)
            with try_folder(home, ctx) as folder:
                return await _talk(_Try(asked, ctx, keys, program, home, folder, model, file, patience))

        return await with_schema(request, ctx, once)


async def _talk(one: _Try) -> AgentResult:
    ctx, before = one.ctx, one.request.session
    stream = PiStream(one.folder / "ready", str(ctx.workspace), before=before.totals if before else {})
    base = before or AgentSession(f"run:{ctx.run.id}:{ctx.step.id}", PiRunner.key, one.conversation.name)

    def now() -> AgentSession:
        return replace(
            base, id=one.conversation.name, model=one.model, totals=stream.totals, open=True,
            updated_at=ctx.services.clock.now(),
        )  # fmt: skip

    async def progress(_session: str | None) -> None:
        # pi writes a conversation down from its first answer on: before that there is nothing to go on with.
        if ctx.services.sessions is not None and one.conversation.is_file():
            await ctx.services.sessions.put(now())

    argv = await _argv(one)
    prompt = one.request.prompt.encode("utf-8", "replace")
    command = Command(argv, ctx.workspace, _environment(one), prompt, ctx.limits)
    result = await Talk(ctx, stream, one.request.account, one.patience * 1.25, progress).hold(command)
    if result.outcome is Outcome.DONE and not result.text.strip():
        detail = "pi ended well but gave no answer"
        result = replace(result, outcome=Outcome.FAILED, code="empty_answer", detail=detail)
    return replace(
        result,
        session=replace(now(), open=False) if one.conversation.is_file() else None,
        denied=tuple(dict.fromkeys(stream.denied.values())),
        tool_calls=stream.tools,
    )


async def _argv(one: _Try) -> list[str]:
    request, ctx = one.request, one.ctx
    box = await asyncio.to_thread(bubblewrap, ctx.env.get("PATH"))
    tools = _tools(request.tools)
    if box is None:
        ctx.say("bubblewrap is not there, or does not work here: pi gets its tools for reading alone")
        tools = [tool for tool in tools if tool in _READING]
    extension = Path(__file__).with_name("_pi_gate.js")
    argv = [str(one.program), "-p", *one.keys.args, "--mode", "json", "--model", one.model]
    argv += [
        "--session",
        str(one.conversation),
        "--tools",
        ",".join(tools),
        "--no-extensions",
        "-e",
        str(extension),
    ]
    argv += ["--no-skills", "--no-prompt-templates", "--no-themes", "--no-context-files"]
    if request.system:
        argv += ["--append-system-prompt", str(write_private(one.folder / "system.md", request.system))]
    if box is None:
        return argv
    write = [*request.permissions.write, *_granted(one)]
    return sandboxed(argv, box, ctx.workspace, write=write, own=[one.home])


def _granted(one: _Try) -> list[str]:
    session = one.request.session
    return [grant.what for grant in session.grants if grant.tool == "write"] if session else []


def _tools(wanted: Sequence[str] | None) -> list[str]:
    return list(_TOOLS) if wanted is None else [_NAMES.get(name, name.lower()) for name in wanted]


def _environment(one: _Try) -> dict[str, str]:
    request, folder = one.request, one.folder
    rules = _gate.rules_of(
        one.ctx.workspace, request.permissions, request.session.grants if request.session else (), ()
    )
    file = write_private(folder / "rules.json", json.dumps(rules))
    gate = [sys.executable, str(Path(_gate.__file__).resolve()), str(file), str(folder / "ready")]
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True, mode=0o700)
    env = {
        **one.ctx.env,
        "PI_CODING_AGENT_DIR": str(one.home),
        "PI_OFFLINE": "1",
        "PI_TELEMETRY": "0",
        "TMPDIR": str(temporary),
        "ROTA_PI_GATE": json.dumps(gate),
    }
    for name in _KEYS.values():
        env.pop(name, None)
    key = key_of(one.keys, _usual(one.model), one.ctx)
    if key is not None:
        env[_usual(one.model)[0]] = key
    return env


def _configure(home: Path, keys: PiKeys, provider: str, patience: float) -> None:
    """pi's settings and the address of its API: the same for all runs of the workspace, but for their patience."""
    (home / "sessions").mkdir(exist_ok=True, mode=0o700)
    retry = {"maxRetries": 0, "timeoutMs": int(patience * 1000), "maxRetryDelayMs": 10_000}
    settings: dict[str, Any] = {
        "quietStartup": True,
        "enableInstallTelemetry": False,
        "retry": {"enabled": True, "maxRetries": 1, "baseDelayMs": 1000, "provider": retry},
    }
    _write_if_new(home / "settings.json", settings)
    providers = {provider: {"baseUrl": keys.base_url}} if keys.base_url else {}
    _write_if_new(home / "models.json", {"providers": providers})


def _write_if_new(file: Path, content: Any) -> None:
    data = json.dumps(content, indent=1).encode()
    if not file.exists() or file.read_bytes() != data:
        write_atomic(file, data)


def _model(named: str | None) -> str:
    """The model with its provider; pi's own default would be anybody's."""
    if named and "/" in named:
        return named
    if named:
        return f"{'openai' if named.startswith(('gpt', 'o1', 'o3', 'o4')) else 'anthropic'}/{named}"
    raise StepError(
        "pi has to be told its model",
        code="no_model", permanent=True, hint="set `model: anthropic/claude-sonnet-4-5` under `agent: {pi: ...}`",
    )  # fmt: skip


def _usual(model: str) -> tuple[str, ...]:
    """The names that the key of a model's provider goes by; of any, where no model is named."""
    provider, slash, _ = model.partition("/")
    if not slash:
        return tuple(_KEYS.values())
    return (_KEYS.get(provider, f"{provider.upper().replace('-', '_')}_API_KEY"),)


def _new_name(request: AgentRequest, ctx: StepContext) -> str:
    return f"{request.session_id or f'{ctx.run.id}-{ctx.step.id}-{ctx.attempt}'}.jsonl"
