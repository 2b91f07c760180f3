"""`rota test`: everything that a run would render, and nothing run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rota.app.commands import typed_params
from rota.app.places import misplaced
from rota.app.queries import find_job
from rota.app.wiring import App
from rota.engine.environment import run_values
from rota.engine.queueing import default_params
from rota.model.errors import RotaError, SpecError
from rota.model.job import EVIDENCE_STEP, Job
from rota.model.run import Run, RunState
from rota.spec import from_json
from rota.templates import StepsView, render, render_shell, render_value


@dataclass(frozen=True)
class DryStep:
    """A step as it would be tried. `problems`: why it would fail before it begins."""

    id: str
    kind: str
    config: Mapping[str, Any]
    condition: str | None
    problems: tuple[str, ...]


def dry_run(app: App, job_id: str, params: Mapping[str, str]) -> list[DryStep]:
    """Render every step with the job's parameters; what earlier steps would put out stands as `<step.name>`."""
    record = find_job(app, job_id)
    job = from_json(record.definition)
    now = app.clock.now()
    inputs = {"params": {**default_params(job), **typed_params(job, params)}}
    run = Run(
        "dry-run", job.id, RunState.RUNNING, record.hash, now, started_at=now, due_at=now, inputs=inputs
    )
    previous = app.store.read(lambda tx: tx.runs.previous(job.id, ""))
    values = run_values(
        replace(job, timezone=record.timezone),
        run,
        {},
        workspace=app.layout.root,
        config=app.config,
        previous=previous,
    )
    values |= _samples(job)
    values["steps"] = StepsView({step.id: _unknown(step.id) for step in job.steps})
    wrong = misplaced(app, job, record.path or record.id)
    found = []
    for number, step in enumerate(job.steps):
        kind = app.kinds.steps.get(step.kind)
        config: dict[str, Any] = {}
        problems = [
            _said(error.key or "", error)
            for error in wrong
            if (error.key or "").startswith(f"steps.{number}.")
        ]
        for key, value in step.config.items():
            try:
                if kind is not None and isinstance(value, str) and key == step.kind == "run":
                    shell = render_shell(value, values)
                    config[key] = shell.script
                    config.update({f"${name}": text for name, text in shell.env.items()})
                else:
                    config[key] = render_value(value, values)
            except RotaError as error:
                problems.append(_said(key, error))
        found.append(DryStep(step.id, step.kind, config, step.condition, tuple(problems)))
    return [*found, *_evidence(job, values, wrong)]


def _evidence(job: Job, values: Mapping[str, Any], wrong: Sequence[SpecError]) -> Iterator[DryStep]:
    """What the job asks for at the end, a dry step each."""
    for number, item in enumerate(job.success_if):
        problems = [
            _said(error.key or "", error)
            for error in wrong
            if (error.key or "").startswith(f"{EVIDENCE_STEP}.{number}.")
        ]
        config: dict[str, Any] = {item.kind: item.text or dict(item.schema)}
        try:
            if item.kind == "command":
                shell = render_shell(item.text, values)
                config = {item.kind: shell.script, **{f"${name}": text for name, text in shell.env.items()}}
            elif item.kind == "file":
                config = {item.kind: render(item.text, values)}
        except RotaError as error:
            problems.append(_said(item.kind, error))
        yield DryStep(EVIDENCE_STEP, item.kind, config, None, tuple(problems))


def _samples(job: Job) -> dict[str, Any]:
    """What triggers that look would find: a stand-in for each name that is asked for."""
    names = {"files": ("file", "files"), "poll": ("item", "items")}
    found: dict[str, Any] = {}
    for one, many in (names[trigger.kind] for trigger in job.triggers if trigger.kind in names):
        found[one] = _Unknown(one)
        found[many] = [found[one]]
    return found


class _Unknown(dict[str, str]):
    """The names that something puts out, which nobody knows before a run: whichever is asked for."""

    def __init__(self, whose: str, **known: str) -> None:
        super().__init__(**known)
        self._whose = whose

    def __missing__(self, key: str) -> str:
        return f"<{self._whose}.{key}>"


def _unknown(step_id: str) -> dict[str, Any]:
    return {
        "output": f"<{step_id}.output>",
        "state": "succeeded",
        "values": _Unknown(step_id, output=f"<{step_id}.output>"),
    }


def _said(key: str, error: RotaError) -> str:
    return f"`{key.rpartition('.')[2]}`: {error.message}" + (f" (hint: {error.hint})" if error.hint else "")
