"""The command runner: any program that reads a prompt and prints an answer."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from rota.model.agent import AgentSession, Outcome, run_key
from rota.model.config import WorkspaceConfig
from rota.model.errors import StepError
from rota.ports.agents import AgentRequest, AgentResult, RunnerContext, RunnerState
from rota.ports.commands import run_command
from rota.ports.keys import NoKeys
from rota.ports.steps import StepContext
from rota.runners._words import with_schema

_MODEL, _SESSION = "{model}", "{session}"


class CommandRunner:
    """Runs `agent: command:` of rota.yaml in the workspace, the prompt on its stdin."""

    key: ClassVar[str] = "command"
    params: ClassVar[type[BaseModel]] = NoKeys

    def configured(self, config: WorkspaceConfig) -> bool:
        """Whether there is a command."""
        return bool(config.agent.command)

    def continues(self, config: WorkspaceConfig) -> bool:
        """Whether the command is told which conversation it goes on with."""
        return any(_SESSION in part for part in config.agent.command)

    def lacks(self, ctx: StepContext) -> str | None:
        """That its program is not there, in words."""
        return _missing(ctx.config, ctx.env, ctx.workspace)

    async def state(self, ctx: RunnerContext) -> RunnerState:
        """Whether there is a command, and whether it can be found."""
        argv = ctx.config.agent.command
        if not argv:
            return RunnerState(found=False, missing="there is no `command:` under `agent:` in rota.yaml")
        where = shutil.which(argv[0], path=ctx.environment.get("PATH"))
        missing = None if where else f"`{argv[0]}` is not on PATH"
        return RunnerState(where is not None, where=where, model=ctx.config.agent.model, missing=missing)

    async def run(self, request: AgentRequest, ctx: StepContext) -> AgentResult:
        """What the command prints is the answer; no answer is a failure, whatever its exit code."""
        argv = [_with_model(part, request.model) for part in ctx.config.agent.command]
        session = await self._session(request, ctx)
        if session is not None:
            argv = [part.replace(_SESSION, session.id) for part in argv]
        return replace(await self._answer(argv, request, ctx), session=session)

    async def _session(self, request: AgentRequest, ctx: StepContext) -> AgentSession | None:
        """The conversation that the command is told of, in the state before it is told."""
        if not self.continues(ctx.config):
            return None
        session = request.session or AgentSession(
            run_key(ctx.run.id, ctx.step.id), self.key, request.session_id, request.model
        )
        if ctx.services.sessions is not None:
            await ctx.services.sessions.put(session)
        return session

    async def _answer(self, argv: list[str], request: AgentRequest, ctx: StepContext) -> AgentResult:
        prompt = with_schema(request.prompt, request.schema)
        if request.system is not None and request.session is None:  # else it was told already
            prompt = f"{request.system.rstrip()}\n\n---\n\n{prompt}"
        result = await run_command(ctx, argv, stdin=prompt)
        failure = result.failure()
        code = result.exit.code
        if failure is not None:
            reason = failure.reason
            outcome = Outcome.INTERRUPTED if reason.code == "killed" else Outcome.FAILED
            return AgentResult(outcome, result.stdout, detail=reason.text, code=reason.code, exit_code=code)
        if not result.stdout.strip():
            detail = f"{argv[0]} ended well but printed no answer"
            return AgentResult(Outcome.FAILED, detail=detail, code="empty_answer", exit_code=code)
        return AgentResult(Outcome.DONE, result.stdout, model=request.model, exit_code=code)


def _missing(config: WorkspaceConfig, env: Mapping[str, str], workspace: Path) -> str | None:
    """What keeps the command from being started, in words."""
    program = config.agent.command[0]
    place = str(workspace / program) if "/" in program else program  # it is started in the workspace
    return None if shutil.which(place, path=env.get("PATH")) else f"`{program}` is not on PATH"


def _with_model(part: str, model: str | None) -> str:
    if _MODEL not in part:
        return part
    if model is None:
        raise StepError(
            "the agent command has a place for a model, but no model is named",
            code="no_model",
            permanent=True,
            hint="set `model:` in the step, or under `agent:` in rota.yaml",
        )
    return part.replace(_MODEL, model)
