"""The clean environment of a step's children, and the values that its templates see."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from rota.model.config import ENV_ALLOWED, WorkspaceConfig
from rota.model.instants import Micros
from rota.model.job import Job, Step
from rota.model.run import Run, StepRun
from rota.schedule import local_time
from rota.templates import StepsView

# What the triggers of a kind found, and what these names are in a run that another trigger started.
_FOUND: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "files": (("file", {}), ("files", [])),
    "poll": (("item", {}), ("items", [])),
}


def clean_environment(config: WorkspaceConfig) -> dict[str, str]:
    """What children get of this process's environment: the allow-list and nothing else."""
    return dict(_allowed(config.env_allow, tuple(getattr(os.environ, "_data", os.environ).items())))


@lru_cache(maxsize=2)  # the same for nearly every child, and to make it anew takes 40 µs
def _allowed(env_allow: tuple[str, ...], _environment: tuple[tuple[object, object], ...]) -> dict[str, str]:
    allowed = set(ENV_ALLOWED)
    prefixes: tuple[str, ...] = ("LC_",)
    for name in env_allow:
        if name.endswith("*"):
            prefixes += (name[:-1],)
        else:
            allowed.add(name)
    return {k: v for k, v in os.environ.items() if k in allowed or k.startswith(prefixes)}


def markers(workspace: Path, run: Run, step: Step, attempt: int) -> dict[str, str]:
    """The ROTA_* variables by which a child knows its run, and rota its children."""
    return {
        "ROTA_RUN_ID": run.id,
        "ROTA_JOB": run.job_id,
        "ROTA_STEP": step.id,
        "ROTA_ATTEMPT": str(attempt),
        "ROTA_OCCURRENCE": run.occurrence_key or "",
        "ROTA_WORKSPACE": str(workspace),
    }


class Deferred(Mapping[str, Any]):
    """Values that are made when the first one is asked for: many steps look at none."""

    def __init__(self, make: Callable[[], Mapping[str, Any]]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Mapping[str, Any]:
        return self._make()

    def __getitem__(self, name: str) -> Any:
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def run_values(
    job: Job,
    run: Run,
    steps: Mapping[str, StepRun],
    *,
    workspace: Path,
    config: WorkspaceConfig,
    previous: Run | None,
) -> dict[str, Any]:
    """The names that templates see. `now` is the run's start, so that a resumed run sees the same."""
    known = values_before_run(
        job,
        inputs=run.inputs,
        key=run.occurrence_key,
        due_at=run.due_at,
        now=run.started_at or run.queued_at,
        timezone=job.timezone or config.timezone,
        workspace=workspace_value(workspace, config),
        previous=previous,
    )
    return {
        **known,
        "run": {"id": run.id, "trigger": run.trigger_id},
        "steps": StepsView({step_id: step_value(step) for step_id, step in steps.items()}),
    }


def values_before_run(
    job: Job,
    *,
    inputs: Mapping[str, Any],
    key: str | None,
    due_at: Micros | None,
    now: Micros,
    timezone: str,
    workspace: Mapping[str, str],
    previous: Run | None,
) -> dict[str, Any]:
    """Those names that are known before there is a run: what a job's own `if:` sees."""
    moment = local_time(now, timezone)
    kinds = {trigger.kind for trigger in job.triggers}
    found = {
        name: inputs.get(name, empty)
        for kind, names in _FOUND.items()
        if kind in kinds
        for name, empty in names
    }
    due = None if due_at is None else local_time(due_at, timezone)
    return {
        "job": {"id": job.id, "name": job.name, "description": job.description},
        "now": moment,
        "today": moment.date(),
        "timezone": timezone,
        "occurrence": {"key": key, "due_at": due},
        "params": inputs.get("params", {}),
        "payload": inputs.get("payload", {}),
        "payloads": inputs.get("payloads", [inputs["payload"]] if "payload" in inputs else []),
        "headers": inputs.get("headers", {}),
        "query": inputs.get("query", {}),
        **found,
        "workspace": workspace,
        "previous": None
        if previous is None
        else {
            "id": previous.id,
            "state": previous.state.value,
            "finished_at": local_time(previous.finished_at or previous.queued_at, timezone),
        },
    }


def workspace_value(workspace: Path, config: WorkspaceConfig) -> dict[str, str]:
    """What `workspace` gives in a template."""
    return {"path": str(workspace), "name": config.name or workspace.name}


def step_value(step: StepRun) -> dict[str, Any]:
    """What `steps.ID` gives in a template."""
    return {"output": step.output, "state": step.state.value, "values": dict(step.values)}


def merged_values(steps: Mapping[str, StepRun]) -> dict[str, Any]:
    """The names that the steps put out, later ones winning: what `condition: new_items > 0` sees."""
    merged: dict[str, Any] = {}
    for step in sorted(steps.values(), key=lambda s: s.index):
        merged.update(step.values)
    return merged
