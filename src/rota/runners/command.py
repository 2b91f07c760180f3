"""The command runner: any program that reads a prompt and prints an answer."""

from __future__ import annotations

from typing import ClassVar

from rota.model.config import WorkspaceConfig
from rota.model.errors import StepError
from rota.model.run import Reason
from rota.ports.commands import run_command
from rota.ports.steps import AgentRequest, Done, Failed, StepContext, StepResult

_MODEL = "{model}"


class CommandRunner:
    """Runs `agent: command:` of rota.yaml in the workspace, the prompt on its stdin."""

    key: ClassVar[str] = "command"

    def configured(self, config: WorkspaceConfig) -> bool:
        """Whether there is a command."""
        return bool(config.agent.command)

    async def run(self, request: AgentRequest, ctx: StepContext) -> StepResult:
        """What the command prints is the answer; no answer is a failure, whatever its exit code."""
        argv = [_with_model(part, request.model) for part in ctx.config.agent.command]
        result = await run_command(ctx, argv, stdin=request.prompt)
        failure = result.failure()
        if failure is not None:
            return failure
        if not result.stdout.strip():
            reason = Reason("empty_answer", f"{argv[0]} ended well but printed no answer")
            return Failed(reason, exit_code=result.exit.code)
        return Done(result.stdout, exit_code=result.exit.code)


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
