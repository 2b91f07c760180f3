"""The `run` step: a command, as text for a shell or as a list of arguments."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, StrictFloat, StrictInt, StringConstraints

from rota.model.job import OnInterrupt
from rota.ports.steps import StepContext, StepResult
from rota.steps.commands import CommandKeys, env_of_arguments, run_and_collect
from rota.steps.secrets import stored_secrets_in
from rota.templates import render, render_shell

# Every shell stops at the first line that fails; where it is possible, a failing part of a pipe counts.
_SHELLS = {
    "sh": ("sh", "-e", "-c"),
    "bash": ("bash", "-e", "-o", "pipefail", "-c"),
    "zsh": ("zsh", "-e", "-o", "pipefail", "-c"),
}


class RunParams(CommandKeys):
    """The keys of a `run` step."""

    run: (
        Annotated[str, StringConstraints(pattern=r"\S")]
        | Annotated[list[str | StrictInt | StrictFloat], Field(min_length=1)]
    ) = Field(
        description="The command. A text goes to the shell and stops at the first line that fails; "
        "`{{ values }}` in it reach the command as data, never as shell code, and a stored secret that "
        "it names as `$NAME` is in its environment. A list is a program and its arguments, without a shell."
    )
    shell: Literal["sh", "bash", "zsh"] = Field(
        default="sh",
        description="The shell of a text. With bash and zsh, a failure anywhere in a pipe counts as one.",
    )


class RunStep:
    """Runs a command in the workspace."""

    key: ClassVar[str] = "run"
    params: ClassVar[type[BaseModel]] = RunParams
    raw: ClassVar[frozenset[str]] = frozenset({"run", "stdin"})
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: RunParams, ctx: StepContext) -> StepResult:
        """Run it to its end; the exit code decides."""
        if isinstance(params.run, str):
            shell = render_shell(params.run, ctx.values)
            env = {**ctx.env, **stored_secrets_in([params.run], ctx), **shell.env}
            return await run_and_collect(params, ctx, [*_SHELLS[params.shell], shell.script], env)
        texts = [str(part) for part in params.run]
        argv = [render(text, ctx.values) for text in texts]
        return await run_and_collect(params, ctx, argv, env_of_arguments(texts, ctx))
