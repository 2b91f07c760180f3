"""Chains across files: a circle of jobs is refused, a job that follows one that is not there is warned of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from rota.engine.chains import upstreams_of
from rota.model.errors import SpecError
from rota.model.job import Job
from rota.model.ledger import JobRecord
from rota.planning.chains import refused, upstreams
from rota.ports.store import Tx
from rota.spec import FileResult, ParsedJob

CIRCLE = "a circle of jobs that start each other"
_KEY = "on.job"
_STRANGER = f"`{_KEY}`: there is no job `"


def without_circles(
    records: Iterable[JobRecord],
    files: Sequence[tuple[str, FileResult]],
    *,
    owners: Mapping[str, str | None],
    present: Collection[str] | None = None,
) -> list[FileResult]:
    """The files' results; a job that would close a circle with what is in force is an error of its file instead.

    `owners`: the file that a job is known to be in, which alone can change it. `present`: the job files
    that there are (None: not known), since the jobs of others are on their way out.
    """
    has = {path: None if result.errors else _ids(result) for path, result in files}
    in_force = {
        record.id: upstreams_of(record) for record in records if not _is_leaving(record, has, present)
    }
    wanted: dict[str, frozenset[str]] = {}
    for path, result in files:
        for parsed in result.jobs:
            if owners.get(parsed.job.id, path) in {None, path}:
                wanted.setdefault(parsed.job.id, upstreams(parsed.job))
    circles = refused(in_force, wanted)
    if not circles:
        return [result for _, result in files]
    return [_without(path, result, circles) for path, result in files]


def with_strangers(
    records: Iterable[JobRecord], files: Sequence[tuple[str, FileResult]]
) -> list[tuple[str, FileResult]]:
    """The files' results, with a warning for each job that they follow and that is neither known nor among them."""
    known = {record.id for record in records} | {job for _, result in files for job in _ids(result)}
    return [
        (path, replace(result, jobs=tuple(_warned(parsed, known) for parsed in result.jobs)))
        for path, result in files
    ]


def note_strangers(tx: Tx) -> None:
    """Bring what the registry's jobs say about jobs that they follow up to date: any of those may come or go."""
    records = tx.jobs.all()
    known = {record.id for record in records}
    for record in records:
        missing = sorted(upstreams_of(record) - known)
        warnings = (*without_strangers(record.warnings), *(_stranger(name) for name in missing))
        if warnings != record.warnings:
            tx.jobs.put(replace(record, warnings=warnings))


def without_strangers(warnings: Iterable[str]) -> tuple[str, ...]:
    """The warnings that come from a job's own file alone."""
    return tuple(warning for warning in warnings if not warning.startswith(_STRANGER))


def _ids(result: FileResult) -> set[str]:
    return {parsed.job.id for parsed in result.jobs}


def _is_leaving(
    record: JobRecord, has: Mapping[str, set[str] | None], present: Collection[str] | None
) -> bool:
    """Whether its file is gone, or was read and does not hold it any more."""
    if record.origin != "file" or record.path is None:
        return False
    if present is not None and record.path not in present:
        return True
    ids = has.get(record.path)
    return ids is not None and record.id not in ids


def _without(path: str, result: FileResult, circles: Mapping[str, tuple[str, ...]]) -> FileResult:
    jobs = tuple(parsed for parsed in result.jobs if parsed.job.id not in circles)
    errors = [
        SpecError(
            f"{CIRCLE}: {' -> '.join(way)}",
            file=path,
            line=_line(parsed.job, way[-2]) or parsed.line,
            key=_KEY,
            hint=f"`{way[-2]}` may not start `{parsed.job.id}`, which leads to it: start one of them otherwise",
        )
        for parsed in result.jobs
        if (way := circles.get(parsed.job.id)) is not None
    ]
    ordered = sorted((*result.errors, *errors), key=lambda error: error.line or 0)
    return FileResult(jobs, tuple(ordered))


def _line(job: Job, upstream: str) -> int | None:
    """Where the job says that it follows that one."""
    lines = (trigger.line for trigger in job.triggers if (trigger.kind, trigger.text) == ("job", upstream))
    return next(lines, None)


def _warned(parsed: ParsedJob, known: Collection[str]) -> ParsedJob:
    missing = sorted(upstreams(parsed.job) - set(known))
    lines = [(_line(parsed.job, name) or parsed.line, _stranger(name)) for name in missing]
    return replace(parsed, warnings=(*parsed.warnings, *(f"line {line}: {text}" for line, text in lines)))


def _stranger(name: str) -> str:
    return f"{_STRANGER}{name}`, so this one never starts after it"
