"""What a job's steps name in the workspace: paths that lead out of it, scripts and skills that are not there."""

from __future__ import annotations

from collections.abc import Iterator

from rota.app.wiring import App
from rota.engine.attempt import names_file
from rota.model.errors import RotaError, SpecError
from rota.model.job import Job, Step
from rota.ports.files import resolve_inside

# Keys of steps that hold a path in the workspace, and whether the step only reads there.
_PATHS = {"write": False, "template": True, "cwd": True, "prompt_file": True}


def misplaced(app: App, job: Job, path: str) -> list[SpecError]:
    """What `path`, the job's file, names wrongly. A path with a template in it is judged when it is rendered."""
    found = []
    for number, step in enumerate(job.steps):
        for key, error in _of_step(app, step):
            place = f"steps.{number}.{key}"
            found.append(
                SpecError(
                    error.message, file=path, line=step.line, key=place, hint=error.hint, code=error.code
                )
            )
    return found


def _of_step(app: App, step: Step) -> Iterator[tuple[str, RotaError]]:
    texts = {key: step.config[key] for key in (*_PATHS, "script", "skill") if key in step.config}
    if step.output is not None and names_file(step.output):
        texts["output"] = step.output
    for key, text in texts.items():
        if isinstance(text, str) and "{{" not in text and "{%" not in text:
            try:
                _look(app, key, text)
            except RotaError as error:
                yield key, error


def _look(app: App, key: str, text: str) -> None:
    from rota.steps.script import find_script
    from rota.steps.skill import find_skill

    if key == "script":
        find_script(app.layout.root, app.config.script_folders, text)
    elif key == "skill":
        find_skill(app.layout.root, text)
    else:
        resolve_inside(app.layout.root, text, purpose=f"`{key}:`", reading=_PATHS.get(key, False))
