"""What a job's steps name in the workspace: paths that lead out of it, scripts and skills that are not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rota.app.wiring import App
from rota.engine.attempt import names_file
from rota.model.errors import RotaError, SpecError
from rota.model.job import Evidence, Job, Step
from rota.ports.files import read_text, resolve_inside
from rota.spec.evidence import SCHEMA_HINT

LONGEST_SCHEMA = 1_000_000
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
    for number, item in enumerate(job.success_if):
        for error in _of_evidence(app, item):
            key = f"success_if.{number}.{item.kind}"
            found.append(
                SpecError(error.message, file=path, line=item.line, key=key, hint=error.hint, code=error.code)
            )
    return found


def _of_evidence(app: App, evidence: Evidence) -> Iterator[RotaError]:
    """What is wrong with the file that evidence names: a path that leads out, a schema that cannot be used."""
    if evidence.kind not in {"file", "schema"} or not evidence.text or _is_template(evidence.text):
        return
    try:
        path = resolve_inside(app.layout.root, evidence.text, purpose=f"`{evidence.kind}:`", reading=True)
        if evidence.kind == "schema":
            _check_schema(path, evidence.text)
    except RotaError as error:
        yield error


def _check_schema(path: Path, name: str) -> None:
    import json

    from rota.spec.json_schemas import problem_of

    text = read_text(path, LONGEST_SCHEMA, purpose="`schema:`")
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RotaError(f"{name} is no JSON: {error}", hint="a JSON Schema is JSON") from None
    problem = problem_of(schema)
    if problem is not None:
        where = ".".join(str(part) for part in problem[0])
        said = f"`{where}`: {problem[1]}" if where else problem[1]
        raise RotaError(f"{name} is no valid JSON Schema: {said}", hint=SCHEMA_HINT)


def _is_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def _of_step(app: App, step: Step) -> Iterator[tuple[str, RotaError]]:
    texts = {key: step.config[key] for key in (*_PATHS, "script", "skill") if key in step.config}
    if step.output is not None and names_file(step.output):
        texts["output"] = step.output
    for key, text in texts.items():
        if isinstance(text, str) and not _is_template(text):
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
