"""The `context` step: what the workspace has about a question, under a budget of tokens, as a text for a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from rota.model.job import OnInterrupt
from rota.ports.processes import HostCall
from rota.ports.steps import Done, StepContext, StepResult
from rota.spec.agent_keys import CONTEXT_BUDGET, LEAST_CONTEXT, MOST_CONTEXT

# In the room `workspace`, which steps do not import: it is called in a host.
TARGET = "rota.workspace.index.hosted:build_context"
BUDGET, LEAST, MOST = CONTEXT_BUDGET, LEAST_CONTEXT, MOST_CONTEXT

_Path = Annotated[str, StringConstraints(min_length=1)]


class ContextParams(BaseModel):
    """The keys of a `context` step."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    context: str = Field(
        min_length=1,
        description="What it is about, in words, as in `rota search`: weekly planning. A template.",
    )
    budget: int = Field(
        default=BUDGET, ge=LEAST, le=MOST, description="The most tokens that the text may have."
    )
    in_: _Path | list[_Path] = Field(
        default=[], alias="in", description="A file or folder, or a list of them, that it is taken from."
    )
    since: str | int | None = Field(
        default=None,
        description="Only what is not older: how long ago (7d), a day (2026-11-01), `today` or `yesterday`.",
    )


class ContextStep:
    """Gathers passages of the workspace's files."""

    key: ClassVar[str] = "context"
    params: ClassVar[type[BaseModel]] = ContextParams
    raw: ClassVar[frozenset[str]] = frozenset()
    on_interrupt: ClassVar[OnInterrupt] = OnInterrupt.RETRY

    async def run(self, params: ContextParams, ctx: StepContext) -> StepResult:
        """Bring the index up to date and ask it, in a host; the Markdown is the output."""
        paths = [params.in_] if isinstance(params.in_, str) else params.in_
        found = await passages(ctx, params.context, budget=params.budget, paths=paths, since=params.since)
        text: str = found["text"]
        return Done(
            text,
            {"text": text, "count": found["count"], "paths": found["paths"], "tokens": found["tokens"]},
        )


async def passages(
    ctx: StepContext, question: str, *, budget: int, paths: Sequence[str], since: str | int | None
) -> dict[str, Any]:
    """Passages about a question: `text`, `count`, `paths` of files, `tokens`. Says in the log what was found."""
    call = HostCall(
        TARGET,
        {
            "workspace": str(ctx.workspace),
            "config": asdict(ctx.config.index),
            "text": question,
            "budget": budget,
            "paths": list(paths),
            "since": None if since is None else str(since),
            "now": ctx.services.clock.now(),
            "timezone": str(ctx.values.get("timezone") or ctx.job.timezone or ctx.config.timezone),
            "most_bytes": ctx.config.limits.value,
        },
        ctx.env,
        ctx.workspace,
        limits=ctx.limits,
    )
    found: dict[str, Any] = await ctx.services.hosts.call(call, ctx.log)
    for problem in found.get("problems", ()):
        ctx.say(f"not indexed: {problem}")
    count, files, tokens = found["count"], found["paths"], found["tokens"]
    ctx.say(
        f"{count} passage{'' if count == 1 else 's'} of {len(files)} file{'' if len(files) == 1 else 's'},"
        f" about {tokens} tokens"
    )
    return found
