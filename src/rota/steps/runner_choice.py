"""Which runner works on a step: the one that is named, or the first that could; and what is said about it."""

from __future__ import annotations

import asyncio

from rota.model.config import WorkspaceConfig
from rota.model.errors import StepError
from rota.ports.agents import Runner, RunnerContext
from rota.ports.steps import StepContext

AUTO = "auto"
# Of asking a runner what it lacks: it is not there, so there is little to ask.
_PATIENCE = 5.0


async def choose_runner(wanted: str, ctx: StepContext) -> Runner:
    """The step's runner, said in the log. Raises StepError: one that is named is never replaced by another."""
    pinned = wanted if wanted != AUTO else ctx.config.agent.runner
    return await (_first(ctx) if pinned == AUTO else _named(pinned, ctx))


async def _first(ctx: StepContext) -> Runner:
    passed: list[str] = []
    for runner in ctx.services.runners.values():
        lacks = await _lacks(runner, ctx)
        if lacks is None:
            ctx.say(f"runner: {runner.key} (the first that is set up)")
            for line in passed:
                ctx.say(f"  not {line}")
            return runner
        passed.append(f"{runner.key}: {lacks}")
    raise StepError(
        "no agent runner is set up" + (f" ({'; '.join(passed)})" if passed else ""),
        code="no_runner",
        permanent=True,
        hint="set `agent:` in rota.yaml",
    )


async def _named(key: str, ctx: StepContext) -> Runner:
    runners = ctx.services.runners
    if key not in runners:
        raise StepError(
            f"there is no agent runner {key!r}",
            code="unknown_runner",
            permanent=True,
            hint=f"there are: {', '.join(runners)}",
        )
    lacks = await _lacks(runners[key], ctx)
    if lacks is not None:
        raise StepError(
            f"the agent runner {key!r} is not set up: {lacks}; no other takes its place",
            code="runner_not_set_up",
            permanent=True,
            hint=f"set it up under `agent:` in rota.yaml, or take away `runner: {key}`",
        )
    ctx.say(f"runner: {key}")
    return runners[key]


async def _lacks(runner: Runner, ctx: StepContext) -> str | None:
    """What keeps a runner from working, in words; None when nothing does."""
    if runner.configured(ctx.config):
        # One that can tell so without starting anything, such as the command, says whether it is there, too.
        present = getattr(runner, "lacks", None)
        return None if present is None else present(ctx)
    known = _said.get(runner.key)
    if known is not None and known[0] is ctx.config:  # some have to start a program to tell
        return known[1]
    words = await _state_in_words(runner, ctx)
    _said[runner.key] = (ctx.config, words)
    return words


# What runners that are not set up lack, as long as the settings are what they were.
_said: dict[str, tuple[WorkspaceConfig, str]] = {}


async def _state_in_words(runner: Runner, ctx: StepContext) -> str:
    about = RunnerContext(ctx.config, ctx.env, frozenset(ctx.services.secrets.known()))
    try:
        async with asyncio.timeout(_PATIENCE):
            state = await runner.state(about)
    except Exception as error:  # noqa: BLE001 # a stranger's runner: it is passed over, and why is said
        return f"it cannot tell what it lacks ({type(error).__name__}: {error})"
    return state.missing or "it does not say what it lacks"
