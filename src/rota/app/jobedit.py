"""Job files that rota writes: a new one, changed keys, one removed. People's comments and order stay."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rota.app.chains import with_strangers, without_circles
from rota.app.control import nudge
from rota.app.places import misplaced
from rota.app.queries import find_job
from rota.app.sync import Report, sync
from rota.app.wiring import App
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.ids import SLUG, slug
from rota.model.ledger import JobRecord
from rota.ports.files import write_atomic
from rota.spec import FileResult, new_job_text, new_prompt_text, parse_file, set_keys


def add_job(
    app: App, job_id: str, keys: Mapping[str, Any], *, prompt: str | None = None, text: str | None = None
) -> JobRecord:
    """Write a new job file (of `keys`, of a `prompt`, or of a whole file's `text`) and register the job.

    Raises ConflictError when the id or the file is taken, SpecError for what a job file may not say.
    """
    path, text = new_file(app, job_id, keys, prompt=prompt, text=text)
    write_file(app, path, text)
    return find_job(app, job_id)


def new_file(
    app: App,
    job_id: str,
    keys: Mapping[str, Any],
    *,
    prompt: str | None = None,
    text: str | None = None,
    suffix: str = ".yaml",
) -> tuple[Path, str]:
    """The file that `add_job` would write, and its text; nothing is written. `suffix`: of a whole file's `text`."""
    if not SLUG.fullmatch(job_id):
        close = slug(job_id)
        raise RotaError(
            f"`{job_id}` cannot be a job's id: use a-z, 0-9, - and _",
            hint=f"for example: {close}" if close else "for example: nightly-backup",
            code="bad_id",
        )
    known = app.store.read(lambda tx: tx.jobs.get(job_id))
    if known is not None and known.removed_at is None:
        raise ConflictError(
            f"there is a job `{job_id}` already ({known.path or 'in the store'})",
            hint=f"change it with `rota edit {job_id}`, or remove it first",
        )
    if prompt is not None:
        suffix, text = ".md", new_prompt_text(job_id, prompt, **keys)
    elif text is None:
        suffix, text = ".yaml", new_job_text(job_id, **keys)
    path = app.layout.jobs / f"{job_id}{suffix}"
    if path.exists():
        raise ConflictError(
            f"{app.layout.relative(path)} is there already", hint="choose another id, or edit that file"
        )
    return path, text


def set_job_keys(app: App, job_id: str, changes: Mapping[str, Any]) -> JobRecord:
    """Set (or with None remove) dotted keys in a job's file. Raises SpecError, and the file is as it was."""
    path, before, text = changed_file(app, job_id, changes)
    write_file(app, path, text, before=before)
    return find_job(app, job_id)


def changed_file(app: App, job_id: str, changes: Mapping[str, Any]) -> tuple[Path, str, str]:
    """The file that `set_job_keys` would write, its text, and what that would be; nothing is written."""
    record, path = _file_of(app, job_id)
    if path.suffix == ".py":
        raise RotaError(f"{record.path} is Python", hint=f"edit it by hand: rota edit {job_id}")
    before = path.read_text("utf-8")
    several = len(_parse(app, path, before).jobs) > 1
    after = set_keys(before, app.layout.relative(path), changes, job=job_id if several else None)
    return path, before, after


def remove_job_file(app: App, job_id: str) -> JobRecord:
    """Delete a job's file. Raises RotaError when the file holds other jobs too."""
    record, path = _file_of(app, job_id)
    others = [
        r.id for r in app.store.read(lambda tx: tx.jobs.all()) if r.path == record.path and r.id != job_id
    ]
    if others:
        raise RotaError(
            f"{record.path} holds other jobs too: {', '.join(others)}",
            hint=f"take `{job_id}` out of the file: rota edit {job_id}",
        )
    path.unlink(missing_ok=True)
    sync(app)
    nudge(app.layout)
    return record


def path_of(app: App, job_id: str) -> Path:
    """The file that a job is defined in. Raises NotFoundError."""
    return _file_of(app, job_id)[1]


def check_edited(app: App) -> Report:
    """After a person's edit: read the file again."""
    report = sync(app)
    nudge(app.layout)
    return report


def check_files(app: App, paths: list[Path]) -> list[tuple[str, FileResult]]:
    """What is right and wrong with each file (all of the workspace's when none is named); nothing is changed."""
    from rota.app.sync import parse_job_file
    from rota.workspace.jobfiles import JobFile, scan

    files = [] if paths else scan(app.layout)
    for path in paths:
        if not path.is_file():
            raise NotFoundError(f"there is no file {path}", hint="see the job files: ls .rota/jobs")
        shown = app.layout.relative(path.resolve())
        files.append(JobFile(shown, "", hook=path.parent.name == "hooks"))
    results = [(file.path, _with_places(app, parse_job_file(app, file), file.path)) for file in files]
    records = app.store.read(lambda tx: tx.jobs.all())
    present = None if paths else {file.path for file in files}
    return with_strangers(records, _without_circles(records, results, present))


def _with_places(app: App, result: FileResult, shown: str) -> FileResult:
    """The result, with what is wrong with the paths that its jobs name."""
    wrong = [error for parsed in result.jobs for error in misplaced(app, parsed.job, shown)]
    return replace(result, errors=(*result.errors, *wrong))


def _without_circles(
    records: Sequence[JobRecord],
    files: Sequence[tuple[str, FileResult]],
    present: Collection[str] | None = None,
) -> list[tuple[str, FileResult]]:
    """The results as they would be if these files came into force now."""
    results = without_circles(records, files, owners={}, present=present)
    return [(path, result) for (path, _), result in zip(files, results, strict=True)]


def _file_of(app: App, job_id: str) -> tuple[JobRecord, Path]:
    record = find_job(app, job_id)
    if record.removed_at is not None or record.path is None:
        raise NotFoundError(f"the job `{job_id}` has no file", hint="see `rota show " + job_id + "`")
    return record, app.layout.root / record.path


def _parse(app: App, path: Path, text: str) -> FileResult:
    shown = app.layout.relative(path)
    result = parse_file(
        text,
        shown,
        app.kinds.catalog,
        channels=app.config.channels,
        sources=app.config.sources,
        servers=app.config.agent.mcp,
        timezone=app.config.timezone,
    )
    return _with_places(app, result, shown)


def check_text(app: App, path: Path, text: str, *, before: str | None = None) -> FileResult:
    """The file as it would be among the others. Raises what is wrong with it, and was not wrong `before`."""
    known = {error.message for error in _judged(app, path, before).errors} if before is not None else set()
    result = _judged(app, path, text)
    for error in result.errors:
        if error.code == "bad_spec" or error.message not in known:
            raise error
    return result


def write_file(app: App, path: Path, text: str, *, before: str | None = None) -> None:
    """Only what can be read back is written. What was wrong `before` does not stop a change of something else."""
    check_text(app, path, text, before=before)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.encode())
    sync(app)
    nudge(app.layout)


def _judged(app: App, path: Path, text: str) -> FileResult:
    records = app.store.read(lambda tx: tx.jobs.all())
    ((_, result),) = _without_circles(records, [(app.layout.relative(path), _parse(app, path, text))])
    return result
