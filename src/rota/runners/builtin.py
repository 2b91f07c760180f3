"""The builtin agent, as the daemon sees it: a call in a host, with a line back for money, commands and rota's tools."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from rota.model.agent import NO_TOKENS, Actor, AgentSession, Denial, Outcome, Response, Usage
from rota.model.agent_policy import allows_tool, command_refusal
from rota.model.config import WorkspaceConfig
from rota.model.errors import RotaError, StepError
from rota.ports.agents import AgentRequest, AgentResult, RunnerContext, RunnerState
from rota.ports.processes import HostCall
from rota.ports.steps import StepContext
from rota.runners.builtin_commands import run_line
from rota.runners.builtin_keys import PROVIDERS, BuiltinKeys, Choice, choose, has_key, keys_of, known_names
from rota.runners.builtin_line import open_line
from rota.templates import fill_secrets

TARGET = "rota.runners.builtin_host:work"
FOLDER = (".rota", "agents", "builtin")
_DAY = 86_400.0
_INSTALL = "install it: pip install 'rota[agents]'"
# Not for MCP servers: what has all the marks of a command is ended with it. After a crash the run's mark is enough.
_MARK = "ROTA_ATTEMPT"


class BuiltinRunner:
    """An agent of rota's own, on pydantic-ai."""

    key: ClassVar[str] = "builtin"
    params: ClassVar[type[BaseModel]] = BuiltinKeys

    def configured(self, config: WorkspaceConfig) -> bool:
        """Whether its libraries are there, and a key for a model's API."""
        return _is_installed() and has_key(keys_of(config), known_names(config))

    def lacks(self, ctx: StepContext) -> str | None:
        """What is missing for one step, in words."""
        named = ctx.step.config.get("model") or ctx.config.agent.model or keys_of(ctx.config).model
        return (
            None if named else "no model is named: set `model:` in the step, or under `agent:` in rota.yaml"
        )

    async def state(self, ctx: RunnerContext) -> RunnerState:
        """Whether its libraries and a key are there."""
        keys = keys_of(ctx.config)
        model = keys.model or ctx.config.agent.model
        if not _is_installed():
            return RunnerState(found=False, model=model, missing=f"pydantic-ai is not installed; {_INSTALL}")
        from importlib.metadata import version

        key = has_key(keys, {*ctx.secrets, *(name for name, value in ctx.environment.items() if value)})
        key = key or has_key(keys, known_names(ctx.config))
        missing = None if key else "it has no key: `rota secret set ANTHROPIC_API_KEY` (or OPENAI_API_KEY)"
        return RunnerState(
            found=True, version=version("pydantic-ai-slim"), where="pydantic-ai", model=model, key=key, missing=missing
        )  # fmt: skip

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
        """Have a host work on it; what it asks for on the way is answered here."""
        if not _is_installed():
            raise StepError(
                "the builtin agent needs pydantic-ai", code="runner_not_set_up", permanent=True, hint=_INSTALL
            )
        keys = keys_of(ctx.config)
        choice = choose(keys, request.model or ctx.config.agent.model, known_names(ctx.config))
        session = _session(request, ctx, choice)
        if ctx.services.sessions is not None:
            await ctx.services.sessions.put(session)
        ctx.say(f"model: {choice.provider}:{choice.model}")
        errand = _Errand(request, ctx, choice, session)
        try:
            found = await errand.go(keys)
        except StepError as error:
            if error.code != "host_died":
                raise
            return AgentResult(
                Outcome.INTERRUPTED, session=session, model=choice.model, usage=errand.usage,
                turns=errand.turns, detail=error.message,
            )  # fmt: skip
        return _result(found, errand)


@dataclass
class _Errand:
    """One call. `usage`, `turns`: what was told of while it is under way."""

    request: AgentRequest
    ctx: StepContext
    choice: Choice
    session: AgentSession
    usage: Usage = NO_TOKENS
    turns: int = 0

    async def go(self, keys: BuiltinKeys) -> Mapping[str, Any]:
        """Call the host; its answer."""
        ctx, request = self.ctx, self.request
        api = self._api(keys)
        answers = {
            "paid": self._paid,
            "run": self._run,
            "desk": self._desk,
            "say": self._say,
            "print": self._print,
        }
        async with open_line(answers) as path:
            kwargs = {
                "line": path,
                "workspace": str(ctx.workspace),
                "file": str(_file(ctx.workspace, self.session.id)),
                "of": f"{ctx.run.id}:{ctx.step.id}",
                "prompt": request.prompt,
                "system": request.system,
                "api": api,
                "turns": keys.turns,
                "schema": None if request.schema is None else dict(request.schema),
                "permissions": asdict(request.permissions),
                "grants": [asdict(grant) for grant in self.session.grants],
                "tools": request.tools,
                "desk": self._desk_tools(),
                "mcp": {name: dict(server) for name, server in request.mcp.items()},
                "keep": ctx.config.limits.keep_days * _DAY,
                "env": {name: value for name, value in ctx.env.items() if name != _MARK},
            }
            call = HostCall(TARGET, kwargs, ctx.env, ctx.workspace, limits=ctx.limits)
            found: Mapping[str, Any] = await ctx.services.hosts.call(call, ctx.log)
            return found

    def _api(self, keys: BuiltinKeys) -> dict[str, Any]:
        """What the host needs to ask a model. Raises RotaError for a key that is missing."""
        find = self.ctx.services.secrets.get
        own = self.choice.own
        key = fill_secrets(keys.key, find) if keys.key and own else find(PROVIDERS[self.choice.provider])
        base_url = fill_secrets(keys.base_url, find) if keys.base_url and own else None
        if not key and base_url is None:
            name = PROVIDERS[self.choice.provider]
            raise StepError(
                f"there is no key for {self.choice.provider}",
                code="missing_secret",
                permanent=True,
                hint=f"set it with `rota secret set {name}`, or as `agent: {{builtin: {{key: ...}}}}` in rota.yaml",
            )
        return {
            "provider": self.choice.provider,
            "model": self.choice.model,
            "key": key or "none",  # a server of one's own that asks for none
            "base_url": base_url,
            "timeout": keys.timeout,
            "retries": keys.retries,
            "max_tokens": keys.max_tokens,
            "cache": keys.cache,
        }

    async def _paid(self, told: Mapping[str, Any]) -> str | None:
        usage = Usage(**told["usage"])
        self.usage += usage
        self.turns += 1
        account = self.request.account
        return None if account is None else await account.paid(Response(told["key"], told["model"], usage))

    async def _run(self, told: Mapping[str, Any]) -> dict[str, Any]:
        refusal = command_refusal(self.request.permissions, told["command"], self.session.grants)
        if refusal is not None:  # the host has asked itself before: this is the door
            raise StepError(refusal, code="denied", permanent=True)
        return await run_line(told["command"], told["timeout"], self.ctx)

    async def _desk(self, told: Mapping[str, Any]) -> str:
        desk, name = self.ctx.services.desk, told["tool"]
        known = {tool.name: tool for tool in (() if desk is None else desk.tools())}
        if desk is None or name not in known:
            raise StepError(f"rota has no tool `{name}`", code="not_found", permanent=True)
        allowed = allows_tool(
            self.request.permissions, name, looks=known[name].looks, grants=self.session.grants
        )
        if not allowed:
            raise StepError(
                f"`{name}` is not among the tools that are allowed", code="denied", permanent=True
            )
        ctx = self.ctx
        actor = Actor("builtin", ctx.run.id, ctx.job.id, ctx.step.id, self.session.id)
        return await desk.use(name, told["arguments"], actor)

    async def _say(self, told: Mapping[str, Any]) -> None:
        self.ctx.say(told["text"])

    async def _print(self, told: Mapping[str, Any]) -> None:
        self.ctx.log("stdout", told["text"].encode("utf-8", "replace"))

    def _desk_tools(self) -> list[dict[str, Any]]:
        desk = self.ctx.services.desk
        tools = () if desk is None else desk.tools()
        return [
            {
                "name": tool.name,
                "description": tool.description,
                "parameters": json.loads(json.dumps(tool.parameters)),
                "looks": tool.looks,
            }
            for tool in tools
        ]


def _is_installed() -> bool:
    try:
        return find_spec("pydantic_ai") is not None
    except (ImportError, ValueError):
        return False


def _session(request: AgentRequest, ctx: StepContext, choice: Choice) -> AgentSession:
    now = ctx.services.clock.now()
    if request.session is not None:
        name = request.session.id or request.session_id or str(uuid.uuid4())
        return replace(request.session, id=name, model=choice.model, open=True, updated_at=now)
    name = request.session_id or str(uuid.uuid4())
    key = f"run:{ctx.run.id}:{ctx.step.id}"
    return AgentSession(key, BuiltinRunner.key, name, choice.model, updated_at=now)


def _file(workspace: Path, name: str) -> Path:
    """Where the conversation of that id is kept. Raises StepError for an id that is none."""
    if not name.replace("-", "").replace("_", "").isalnum():
        raise StepError(f"{name!r} is no id of a conversation", code="bad_session", permanent=True)
    return Path(workspace, *FOLDER, f"{name}.json")


def _result(found: Mapping[str, Any], errand: _Errand) -> AgentResult:
    outcome = Outcome(found["outcome"])
    try:
        denied = tuple(Denial(one["tool"], one["what"]) for one in found["denied"])
    except (KeyError, TypeError) as error:
        raise RotaError(f"the builtin agent's host gave an answer that is none: {error}") from None
    return AgentResult(
        outcome,
        text=found.get("text", ""),
        structured=found.get("structured"),
        session=replace(errand.session, open=outcome is not Outcome.DONE),
        usage=errand.usage,
        model=found.get("model") or errand.choice.model,
        turns=errand.turns,
        tool_calls=found.get("tool_calls", 0),
        denied=denied,
        detail=found.get("detail", ""),
        code=found.get("code"),
        retry=found.get("retry", True),
        retry_after=found.get("retry_after"),
    )
