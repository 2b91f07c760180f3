"""Agent runners as a person sees them: which there are, what each lacks, which one is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rota.app.wiring import App
from rota.engine.environment import clean_environment
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.ports.agents import Runner, RunnerContext, RunnerState, success_of

AUTO = "auto"
# Of a client that is asked for its version.
_PATIENCE = 30.0


@dataclass(frozen=True)
class Success:
    """When a runner last had an answer; `job` and `run` None: `rota doctor` had asked."""

    at: Micros
    job: str | None
    run: str | None
    model: str | None


@dataclass(frozen=True)
class AgentView:
    """A runner. `ready`: a step could have it now. `lacks`: else what keeps it from that, and how to mend it."""

    key: str
    ready: bool
    lacks: str
    state: RunnerState
    model: str | None
    success: Success | None


@dataclass(frozen=True)
class Survey:
    """All runners, in the order in which `auto` tries them. `takes`: the one that it takes, and `why`."""

    runners: tuple[AgentView, ...]
    takes: str | None
    why: str


def survey(app: App) -> Survey:
    """Look at every runner; starts the clients that have to be asked for their version."""
    return asyncio.run(survey_now(app))


def lacks(app: App, keys: Iterable[str]) -> dict[str, str]:
    """Those of the runners that no step could have now, and what each lacks, in words."""
    runners = [app.kinds.runners[key] for key in keys]

    async def look() -> list[AgentView]:
        return await asyncio.gather(*(_view(app, runner, None) for runner in runners))

    return {view.key: view.lacks for view in asyncio.run(look()) if not view.ready}


async def survey_now(app: App) -> Survey:
    """The same, where a loop is running."""
    runners = app.kinds.runners
    known = app.store.read(lambda tx: tx.cursors.get_many([success_of(key) for key in runners]))
    views = await asyncio.gather(
        *(_view(app, one, known.get(success_of(one.key))) for one in runners.values())
    )
    return Survey(tuple(views), *_taken(app.config, views))


async def _view(app: App, runner: Runner, success: Any) -> AgentView:
    about = RunnerContext(app.config, clean_environment(app.config), frozenset(app.secrets.known()))
    try:
        async with asyncio.timeout(_PATIENCE):
            state = await runner.state(about)
        ready = runner.configured(app.config) and state.missing is None
    except Exception as error:  # noqa: BLE001 # a stranger's runner: what is wrong with it is shown
        state, ready = RunnerState(found=False, missing=f"{type(error).__name__}: {error}"), False
    lacks = "" if ready else state.missing or "it is not set up under `agent:` in rota.yaml"
    model = state.model or app.config.agent.model
    return AgentView(runner.key, ready, lacks, state, model, None if success is None else Success(**success))


def _taken(config: WorkspaceConfig, views: list[AgentView]) -> tuple[str | None, str]:
    pinned = config.agent.runner
    if pinned != AUTO:
        view = next((view for view in views if view.key == pinned), None)
        said = f"rota.yaml says `runner: {pinned}`"
        return (pinned, said) if view is None or view.ready else (None, f"{said}, and {view.lacks}")
    first = next((view for view in views if view.ready), None)
    return (first.key, "the first that is set up") if first else (None, "no runner is set up")
