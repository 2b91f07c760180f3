"""The `python` step: a function of the workspace, called in a host process."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rota.model.errors import PathError
from rota.model.job import OnInterrupt
from rota.ports.commands import capped
from rota.ports.files import resolve_inside
from rota.ports.processes import HostCall
from rota.ports.steps import Done, StepContext, StepResult
from rota.steps.secrets import fill_values


class PythonParams(BaseModel):
    """The keys of a `python` step."""

    model_config = ConfigDict(extra="forbid")

    python: str = Field(
        # No template fits this: a value from outside must not choose which code runs.
        pattern=r"^([A-Za-z_][\w.]*|[^:{}\x00]+\.py):[A-Za-z_][\w.]*$",
        description="The function: `module:function`, looked for in the workspace, .rota/jobs and the script "
        "folders, or `folder/file.py:function` in the workspace. It may be a coroutine function.",
    )
    args: dict[str, Any] = Field(default={}, description="Keyword arguments, JSON-able.")


class PythonStep:
    """Calls a Python function apart from the daemon."""

    key: ClassVar[str] = "python"
    params: ClassVar[type[BaseModel]] = PythonParams
    raw: ClassVar[frozenset[str]] = frozenset({"python", "args"})
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: PythonParams, ctx: StepContext) -> StepResult:
        """Call it; what it returns becomes the output and the names that the step puts out."""
        returned = await ctx.services.hosts.call(self.call(params, ctx), ctx.log)
        return self.done(returned, ctx.config.limits.value)

    def call(self, params: PythonParams, ctx: StepContext) -> HostCall:
        """The call that it is."""
        where, function = params.python.rsplit(":", 1)
        args = fill_values(params.args, ctx)
        paths = [ctx.workspace, ctx.workspace / ".rota" / "jobs"]
        paths += (ctx.workspace / folder for folder in ctx.config.script_folders)
        target = params.python
        if where.endswith(".py"):
            file = resolve_inside(ctx.workspace, where, purpose="`python:`", reading=True)
            if not file.is_file():
                raise PathError(
                    f"there is no file {where!r}", code="not_found", hint="paths begin at the workspace"
                )
            target = f"{file}:{function}"
            paths.insert(0, file.parent)
        return HostCall(target, args, ctx.env, ctx.workspace, tuple(paths), (ctx.workspace,), ctx.limits)

    def done(self, returned: Any, limit: int) -> Done:
        """A mapping puts out its names, anything else the name `result`."""
        if returned is None:
            return Done()
        if isinstance(returned, str):
            return Done(capped(returned, limit))
        text = capped(json.dumps(returned, ensure_ascii=False), limit)
        return Done(text, returned if isinstance(returned, dict) else {"result": returned})
