"""What `agent` and `skill` share: their keys, inputs as sections of a prompt, the choice of a runner."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rota.model.agent import Caps, Outcome
from rota.model.errors import StepError
from rota.model.run import Reason
from rota.ports.agents import Account, AgentRequest, AgentResult, Runner
from rota.ports.commands import capped
from rota.ports.steps import Done, Failed, StepContext, StepResult, Waiting
from rota.steps.inputs import file_text, may_name_file
from rota.templates import render_value

INPUT_LIMIT = 100_000


class AgentKeys(BaseModel):
    """The keys of every step that an agent works on."""

    model_config = ConfigDict(extra="forbid")

    runner: str = Field(
        default="auto",
        description="What executes it: `auto` (the workspace's choice, else the first that is set up), or one "
        "runner by name; that one is never replaced by another.",
    )
    model: str | None = Field(default=None, description="The model, as the runner names it.")
    input: dict[str, Any] = Field(
        default={},
        description="Named inputs. The path of a text file in the workspace puts in the file's text (up to "
        "100 KB); anything else goes in as it is. `{{ values }}` may complete a path below a folder that is "
        "spelled out (`notes/{{ today }}.md`), but a value alone is never taken for a path.",
    )


async def ask_agent(keys: AgentKeys, prompt: str, ctx: StepContext) -> StepResult:
    """Have the chosen runner work on the prompt and the inputs."""
    runner = _choose(keys.runner, ctx)
    whole = prompt.rstrip() + "".join(_section(name, raw, ctx) for name, raw in keys.input.items()) + "\n"
    model = keys.model or ctx.config.agent.model
    account = await _account(runner, model, ctx)
    try:
        result = await in_time(runner.run(AgentRequest(whole, model, account), ctx), account)
    finally:
        if account is not None:
            await account.close()
    return result if isinstance(result, Waiting) else _step_result(result)


async def _account(runner: Runner, model: str | None, ctx: StepContext) -> Account | None:
    meter = ctx.services.meter
    return None if meter is None else await meter.open(ctx, runner=runner.key, model=model, caps=Caps())


async def in_time(
    work: Coroutine[Any, Any, AgentResult | Waiting], account: Account | None
) -> AgentResult | Waiting:
    """A runner's work, ended where the minutes of its budgets are over."""
    minutes = None if account is None else account.caps.minutes
    if minutes is None:
        return await work
    try:
        async with asyncio.timeout(minutes * 60) as limit:
            return await work
    except TimeoutError:
        if not limit.expired():
            raise
        left = f"{minutes:,.1f}".removesuffix(".0")
        return AgentResult(
            Outcome.BUDGET, detail=f"the {left} min that its budget had left are over", retry=False
        )


def _step_result(result: AgentResult) -> Done | Failed:
    """What an agent's work makes of the try."""
    if result.outcome is Outcome.DONE:
        return Done(result.text, exit_code=result.exit_code)
    reason = Reason(result.code or result.outcome.value, result.detail or result.outcome.value)
    return Failed(
        reason,
        exit_code=result.exit_code,
        retry=result.retry and result.outcome is not Outcome.BUDGET,
        retry_after=result.retry_after,
        output=result.text,
    )


def _choose(wanted: str, ctx: StepContext) -> Runner:
    runners = ctx.services.runners
    pinned = wanted if wanted != "auto" else ctx.config.agent.runner
    if pinned == "auto":
        chosen = next((runner for runner in runners.values() if runner.configured(ctx.config)), None)
        if chosen is None:
            raise StepError(
                "no agent runner is set up",
                code="no_runner",
                permanent=True,
                hint="set `agent:` in rota.yaml",
            )
        ctx.say(f"runner: {chosen.key} (the first that is set up)")
        return chosen
    if pinned not in runners:
        raise StepError(
            f"there is no agent runner {pinned!r}",
            code="unknown_runner",
            permanent=True,
            hint=f"there are: {', '.join(runners)}",
        )
    if not runners[pinned].configured(ctx.config):
        raise StepError(
            f"the agent runner {pinned!r} is not set up; no other takes its place",
            code="runner_not_set_up",
            permanent=True,
            hint=f"set it up under `agent:` in rota.yaml, or take away `runner: {pinned}`",
        )
    ctx.say(f"runner: {pinned}")
    return runners[pinned]


def _section(name: str, raw: Any, ctx: StepContext) -> str:
    value = render_value(raw, ctx.values)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    heading = f"## Input: {name}"
    file = (
        file_text(text, ctx.workspace, INPUT_LIMIT) if isinstance(raw, str) and may_name_file(raw) else None
    )
    if file is not None:
        heading, text = f"{heading} (the file {text})", file
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"\n\n{heading}\n\n{fence}\n{capped(text, INPUT_LIMIT)}\n{fence}"
