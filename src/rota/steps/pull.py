"""The `pull` step: what a source has, as items and as text."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rota.model.job import OnInterrupt
from rota.ports.commands import capped
from rota.ports.pulling import Asked, pull
from rota.ports.sources import Pulled
from rota.ports.steps import Done, StepContext, StepResult


class PullParams(BaseModel):
    """The keys of a `pull` step; the other keys are the source's."""

    model_config = ConfigDict(extra="allow")

    pull: str = Field(
        min_length=1,
        description="A kind of source, or a name from `sources:` in rota.yaml. The step's other keys are the "
        "source's and go before those in rota.yaml.",
    )
    if_new: bool = Field(
        default=False,
        description="When nothing is new or changed since this step's last successful pull, put out no items "
        "and no text, and `unchanged: true`.",
    )


class PullStep:
    """Asks a source."""

    key: ClassVar[str] = "pull"
    params: ClassVar[type[BaseModel]] = PullParams
    raw: ClassVar[frozenset[str]] = frozenset()
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: PullParams, ctx: StepContext) -> StepResult:
        """Pull; the text is the output. The step's place in the source moves on with the step's end."""
        # Not the rendered ones: in those, a `${NAME}` could come from a value.
        keys = {name: value for name, value in ctx.step.config.items() if name not in PullParams.model_fields}
        asked = Asked(
            name=params.pull,
            workspace=ctx.workspace,
            timezone=ctx.values.get("timezone") or ctx.job.timezone or ctx.config.timezone,
            consumer=f"{ctx.job.id}/{ctx.step.id}",
            keys=keys,
            values=ctx.values,
            env=ctx.env,
            limits=ctx.limits,
        )
        pulled = await pull(asked, ctx.services, ctx.config, ctx.log)
        _say(pulled, params, ctx)
        return _done(pulled, ctx.config.limits.value, nothing=params.if_new and not pulled.new)


def _say(pulled: Pulled, params: PullParams, ctx: StepContext) -> None:
    count, new = len(pulled.items), len(pulled.new)
    news = "unchanged" if pulled.unchanged else f"{new} new"
    ctx.say(f"{params.pull}: {count} item{'' if count == 1 else 's'}, {news}")
    if pulled.files:
        ctx.say(f"{len(pulled.files)} file{'' if len(pulled.files) == 1 else 's'} written")
    for conflict in pulled.conflicts:
        ctx.say(f"{conflict.path} was changed by hand; what is new is in {conflict.beside}")
    if pulled.note:
        ctx.say(pulled.note)
    if params.if_new and not pulled.new:
        ctx.say("nothing new since this step's last pull")


def _done(pulled: Pulled, limit: int, *, nothing: bool) -> Done:
    values: dict[str, Any] = {
        "items": [] if nothing else list(pulled.items),
        "count": 0 if nothing else len(pulled.items),
        "new_items": len(pulled.new),
        "unchanged": nothing or pulled.unchanged,
        "files": list(pulled.files),
        "note": pulled.note,
    }
    return Done("" if nothing else capped(pulled.text, limit), values, kept=pulled.kept)
