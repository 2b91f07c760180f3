"""The `pull` step: what a source has, as items and as text."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rota.model.errors import StepError
from rota.model.instants import from_micros
from rota.model.job import OnInterrupt
from rota.ports.commands import capped
from rota.ports.processes import HostCall
from rota.ports.steps import Done, SourceKind, StepContext, StepResult
from rota.steps.secrets import fill_values


class PullParams(BaseModel):
    """The keys of a `pull` step; the other keys are the source's."""

    model_config = ConfigDict(extra="allow")

    pull: str = Field(
        min_length=1,
        description="A kind of source, or a name from `sources:` in rota.yaml. The step's other keys are the "
        "source's and go before those in rota.yaml.",
    )


class PullStep:
    """Asks a source."""

    key: ClassVar[str] = "pull"
    params: ClassVar[type[BaseModel]] = PullParams
    raw: ClassVar[frozenset[str]] = frozenset()
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: PullParams, ctx: StepContext) -> StepResult:
        """Call the source in a host; its text is the output."""
        defaults = dict(ctx.config.sources.get(params.pull, {}))
        kind = _kind(str(defaults.pop("type", params.pull)), params.pull, ctx)
        # As the job file has them: in rendered keys, a `${NAME}` could come from a value.
        keys = {name: value for name, value in ctx.step.config.items() if name != self.key}
        config = fill_values({**defaults, **keys}, ctx)
        _check(kind, config)
        call = HostCall(
            kind.target,
            {
                "config": config,
                "workspace": str(ctx.workspace),
                "now": from_micros(ctx.services.clock.now()).isoformat(),
                "timezone": ctx.values.get("timezone") or ctx.job.timezone or ctx.config.timezone,
            },
            ctx.env,
            ctx.workspace,
            limits=ctx.limits,
        )
        items, text, note = _pulled(await ctx.services.hosts.call(call, ctx.log), kind.key)
        ctx.say(f"{params.pull}: {len(items)} item{'' if len(items) == 1 else 's'}")
        if note:
            ctx.say(note)
        values = {"items": items, "count": len(items), "note": note}
        return Done(capped(text, ctx.config.limits.value), values)


def _kind(key: str, name: str, ctx: StepContext) -> SourceKind:
    kind = ctx.services.sources.get(key)
    if kind is not None:
        return kind
    known = sorted({*ctx.services.sources, *ctx.config.sources})
    close = get_close_matches(key, known, 1)
    what = f"source {name!r}" if key == name else f"kind of source {key!r} (of {name!r} in rota.yaml)"
    raise StepError(
        f"there is no {what}",
        code="unknown_source",
        permanent=True,
        hint=f"did you mean {close[0]}?" if close else f"there are: {', '.join(known) or 'none'}",
    )


def _check(kind: SourceKind, config: Mapping[str, Any]) -> None:
    try:
        kind.params.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]  # the input can be a secret
        key = ".".join(str(part) for part in first["loc"])
        raise StepError(
            f"`pull: {kind.key}`: `{key}`: {first['msg']}" if key else f"`pull: {kind.key}`: {first['msg']}",
            code="bad_value",
            permanent=True,
            hint=f"its keys: {', '.join(f.alias or name for name, f in kind.params.model_fields.items())}",
        ) from None


def _pulled(answer: Any, key: str) -> tuple[list[dict[str, Any]], str, str]:
    found = answer if isinstance(answer, Mapping) else {}
    items, text, note = found.get("items"), found.get("text", ""), found.get("note") or ""
    if not isinstance(items, list) or not isinstance(text, str):
        raise StepError(
            f"source {key!r} did not return items and text",
            code="bad_source",
            permanent=True,
            hint='a source returns {"items": [...], "text": "...", "note": "..."}',
        )
    return items, text, str(note)
