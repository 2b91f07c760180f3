"""The command runner: any program that reads a prompt and prints an answer."""

from __future__ import annotations

import shutil
from typing import ClassVar

from pydantic import BaseModel

from rota.model.agent import Outcome
from rota.model.config import WorkspaceConfig
from rota.model.errors import StepError
from rota.ports.agents import AgentRequest, AgentResult, NoKeys, RunnerContext, RunnerState
from rota.ports.commands import run_command
from rota.ports.steps import StepContext

_MODEL = "{model}"


class CommandRunner:
    """Runs `agent: command:` of rota.yaml in the workspace, the prompt on its stdin."""

    key: ClassVar[str] = "command"
    params: ClassVar[type[BaseModel]] = NoKeys

    def configured(self, config: WorkspaceConfig) -> bool:
        """Whether there is a command."""
        return bool(config.agent.command)

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
        result = await run_command(ctx, argv, stdin=request.prompt)
        failure = result.failure()
        code = result.exit.code
        if failure is not None:
            reason = failure.reason
            return AgentResult(
                Outcome.FAILED, result.stdout, detail=reason.text, code=reason.code, exit_code=code
            )
        if not result.stdout.strip():
            detail = f"{argv[0]} ended well but printed no answer"
            return AgentResult(Outcome.FAILED, detail=detail, code="empty_answer", exit_code=code)
        return AgentResult(Outcome.DONE, result.stdout, model=request.model, exit_code=code)


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
