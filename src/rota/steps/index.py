"""The `index` step: what files say now is what `rota search` and `context` find from here on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from rota.model.job import OnInterrupt
from rota.ports.processes import HostCall
from rota.ports.steps import Done, StepContext, StepResult

# In the room `workspace`, which steps do not import: it is called in a host.
TARGET = "rota.workspace.index.hosted:build_index"

_Path = Annotated[str, StringConstraints(min_length=1)]


class IndexParams(BaseModel):
    """The keys of an `index` step."""

    model_config = ConfigDict(extra="forbid")

    index: bool | _Path | list[_Path] = Field(
        description="`true`: every file of the workspace; or the files or folders that are looked at again."
    )

    @field_validator("index")
    @classmethod
    def _something(cls, value: bool | str | list[str]) -> bool | str | list[str]:  # pydantic calls it
        if value is False or value == []:
            raise ValueError("write `true`, or name files or folders")
        return value


class IndexStep:
    """Brings the index of the workspace's files up to date."""

    key: ClassVar[str] = "index"
    params: ClassVar[type[BaseModel]] = IndexParams
    raw: ClassVar[frozenset[str]] = frozenset()
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: IndexParams, ctx: StepContext) -> StepResult:
        """Index what changed, in a host; the output says what that was."""
        wanted = params.index
        only = [] if isinstance(wanted, bool) else [wanted] if isinstance(wanted, str) else wanted
        call = HostCall(
            TARGET,
            {"workspace": str(ctx.workspace), "config": asdict(ctx.config.index), "only": only},
            ctx.env,
            ctx.workspace,
            limits=ctx.limits,
        )
        found: dict[str, Any] = await ctx.services.hosts.call(call, ctx.log)
        for problem in found["problems"]:
            ctx.say(f"not indexed: {problem}")
        names = ("files", "passages", "added", "changed", "removed")
        values = {name: found[name] for name in names}
        words = "{files} files indexed: {added} new, {changed} changed, {removed} gone".format(**values)
        ctx.say(words)
        return Done(words, values)
