"""Agent runners as a person sees them: which there are, what each lacks, which one is taken."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rota.app.wiring import App, build_services
from rota.engine.environment import clean_environment, markers
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.job import Job, Step
from rota.model.run import Run, RunState
from rota.ports.agents import Runner, RunnerContext, RunnerState, success_of
from rota.ports.steps import Services, StepContext
from rota.templates import fill_secrets

AUTO = "auto"
_NOT_SET_UP = "it is not set up under `agent:` in rota.yaml"
# Seconds of a runner that works on a question, and of a client that is asked for its version.
PATIENCE = 90.0
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


def lacks(app: App, wanted: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
    """Of runners, each with the model that a step names: those that it could not have now, and what they lack."""
    asked = list(wanted)

    async def look() -> list[AgentView]:
        return await asyncio.gather(
            *(_view(app, app.kinds.runners[key], None, model) for key, model in asked)
        )

    return {one: view.lacks for one, view in zip(asked, asyncio.run(look()), strict=True) if not view.ready}


async def survey_now(app: App) -> Survey:
    """The same, where a loop is running."""
    runners = app.kinds.runners
    known = app.store.read(lambda tx: tx.cursors.get_many([success_of(key) for key in runners]))
    views = await asyncio.gather(
        *(_view(app, one, known.get(success_of(one.key))) for one in runners.values())
    )
    return Survey(tuple(views), *_taken(app.config, views))


async def _view(app: App, runner: Runner, success: Any, named: str | None = None) -> AgentView:
    about = RunnerContext(app.config, clean_environment(app.config), frozenset(app.secrets.known()))
    try:
        async with asyncio.timeout(_PATIENCE):
            state = await runner.state(about)
        missing = state.missing if runner.configured(app.config) else state.missing or _NOT_SET_UP
        # What it lacks for a single step, such as a model, where it can tell.
        tell = getattr(runner, "lacks", None)
        if missing is None and tell is not None:
            missing = tell(step_in_no_job(app, build_services(app), named))
    except Exception as error:  # noqa: BLE001 # a stranger's runner: what is wrong with it is shown
        state, missing = RunnerState(found=False), f"{type(error).__name__}: {error}"
    model = state.model or app.config.agent.model
    return AgentView(
        runner.key,
        missing is None,
        missing or "",
        state,
        model,
        None if success is None else Success(**success),
    )


def _taken(config: WorkspaceConfig, views: list[AgentView]) -> tuple[str | None, str]:
    pinned = config.agent.runner
    if pinned != AUTO:
        view = next((view for view in views if view.key == pinned), None)
        said = f"rota.yaml says `runner: {pinned}`"
        return (pinned, said) if view is None or view.ready else (None, f"{said}, and {view.lacks}")
    first = next((view for view in views if view.ready), None)
    return (first.key, "the first that is set up") if first else (None, "no runner is set up")


def step_in_no_job(app: App, services: Services, model: str | None = None) -> StepContext:
    """What a runner gets for a question that no job asks: nothing of it is kept, and no budget pays for it."""
    step = Step("probe", "agent", {} if model is None else {"model": model})
    now, root = app.clock.now(), app.layout.root
    job = Job("probe", "probe", (step,))
    run = Run(f"probe-{uuid.uuid4().hex[:12]}", job.id, RunState.RUNNING, "", now, started_at=now)
    env = clean_environment(app.config)
    for name, text in app.config.env.items():
        env[name] = fill_secrets(text, app.secrets.get)
    return StepContext(
        workspace=root, config=app.config, job=job, step=step, run=run, attempt=1, values={},
        env={**env, **markers(root, run, step, 1)}, timeout=PATIENCE, log=lambda _stream, _data: None,
        services=replace(services, sessions=None, meter=None, desk=None),
    )  # fmt: skip
