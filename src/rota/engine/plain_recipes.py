"""Which runs are plain, and what the runs of one definition have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rota.engine.attempt import Attempts, Try
from rota.engine.definitions import Definitions
from rota.engine.environment import markers
from rota.model.config import WorkspaceConfig
from rota.model.errors import RotaError
from rota.model.job import DEFAULT_TIMEOUT, Job, OnInterrupt, Step
from rota.model.run import Run
from rota.ports.processes import HostCall
from rota.ports.steps import HostedKind, Services, StepKind

_TEMPLATE_MARKS = ("{{", "{%", "{#", "${")


@dataclass(frozen=True)
class Recipe:
    """How to make a plain run. `call`: the call that its step is, for a kind that is nothing else."""

    job: Job
    step: Step
    kind: StepKind
    timeout: float
    call: HostCall | None = None


class Recipes:
    """Recipes by the hash of the definition, which never changes its meaning; made anew for new settings."""

    def __init__(
        self,
        definitions: Definitions,
        services: Services,
        attempts: Attempts,
        *,
        workspace: Path,
        config: Callable[[], WorkspaceConfig],
    ) -> None:
        self._definitions = definitions
        self._services = services
        self._attempts = attempts
        self._workspace = workspace
        self._config = config
        self._known: dict[str, Recipe | None] = {}
        self._known_for: WorkspaceConfig | None = None

    def of(self, run: Run) -> Recipe | None:
        """None when the run is not plain. Raises what a bad definition raises."""
        if run.token or "condition_error" in run.inputs:
            return None  # it has a journal already, or an ending of its own
        config = self._config()
        if config is not self._known_for:
            self._known, self._known_for = {}, config
        if run.definition not in self._known:
            self._known[run.definition] = self._make(run, self._definitions.of_run(run), config)
        return self._known[run.definition]

    def _make(self, run: Run, job: Job, config: WorkspaceConfig) -> Recipe | None:
        step = job.steps[0]
        kind = self._services.steps.get(step.kind)
        if kind is None or not _is_plain(job, step, kind, config):
            return None
        recipe = Recipe(job, step, kind, step.timeout or DEFAULT_TIMEOUT)
        if not isinstance(kind, HostedKind) or self._services.batches is None:
            return recipe
        try:
            call = self._attempts.prepared(kind, Try(job, step, run, 1, {}))
        except RotaError:  # its own attempt tells what is wrong
            return None
        own = markers(self._workspace, run, step, 1)
        env = {name: value for name, value in call.env.items() if name not in own}
        return replace(recipe, call=replace(call, env=env))


def alike(one: HostCall, other: HostCall) -> bool:
    """Whether two calls see the same folders and environment."""
    return one is other or (
        (one.env, one.cwd, one.paths, one.fresh) == (other.env, other.cwd, other.paths, other.fresh)
    )


def _is_plain(job: Job, step: Step, kind: StepKind, config: WorkspaceConfig) -> bool:
    """Whether nothing but the step's own work stands between a run of this job and its success."""
    asked = (
        step.condition,
        step.if_changed is not None,
        step.output,
        step.limits,
        job.limits,
        job.timeout,
        job.success_if,
    )
    told = [notify for notify in job.notify if notify.when in {"succeeded", "finished"}]
    texts = json.dumps([dict(step.config), dict(step.env), dict(job.env), dict(config.env)], default=str)
    return (
        len(job.steps) == 1
        and not any(asked)
        and not told
        and not job.on_recovery.notify
        and (step.on_interrupt or kind.on_interrupt) is OnInterrupt.RETRY
        and not any(mark in texts for mark in _TEMPLATE_MARKS)
    )
