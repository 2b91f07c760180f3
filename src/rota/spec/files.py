"""A job file: one job or a list of jobs, with everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rota.model.errors import SpecError
from rota.model.job import Job
from rota.spec import values
from rota.spec.catalog import Catalog, Setting
from rota.spec.document import Document
from rota.spec.job import Origin, read_job
from rota.spec.reader import read
from rota.spec.report import Path, Place
from rota.spec.steps import AGENT

HOOKS = "hooks"


@dataclass(frozen=True)
class ParsedJob:
    """A job that can be used, what may surprise its author, and the line where it starts."""

    job: Job
    warnings: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class FileResult:
    """What a file gave. `errors`: all of them, by line; a job with errors is not among `jobs`."""

    jobs: tuple[ParsedJob, ...]
    errors: tuple[SpecError, ...]


def parse_file(
    text: str,
    path: str,
    catalog: Catalog,
    *,
    channels: Collection[str] = (),
    sources: Collection[str] = (),
    timezone: str = "UTC",
    servers: Collection[str] | None = None,
) -> FileResult:
    """Read a job file. Its extension says the format: .yaml, .yml, .json, or .md (front matter and a prompt).

    `channels`, `sources`: the names that rota.yaml gives to some (or these parts of it whole, so that
    their keys can be checked); `timezone`: the workspace's; `servers`: the names of its MCP servers
    (None: any will do). Nothing is raised.
    """
    document = read(text, path)
    setting = Setting.of(catalog, channels, sources, timezone, servers)
    return _jobs_of(document, path, setting)


def parse_mapping(
    data: Mapping[str, Any],
    path: str,
    catalog: Catalog,
    *,
    channels: Collection[str] = (),
    sources: Collection[str] = (),
    timezone: str = "UTC",
    servers: Collection[str] | None = None,
    line: int = 1,
) -> FileResult:
    """Read one job from data in the shape of a job file: of a Python function, or of an API call.

    Without `id:` its id comes from its name. `path` and `line` are what errors point to.
    """
    document = Document(data=dict(data), lines={(): line})
    setting = Setting.of(catalog, channels, sources, timezone, servers)
    return _result([_job(document, (), path, setting, Origin())], path)


def _jobs_of(document: Document, path: str, setting: Setting) -> FileResult:
    if document.fatal:
        return FileResult((), tuple(document.report(path).errors[:1]))
    folder, _, name = path.replace("\\", "/").rpartition("/")
    stem, hook = name.rpartition(".")[0], folder.rpartition("/")[2] == HOOKS
    if document.body_line is not None:
        document.lines[(AGENT,)] = document.body_line
    if isinstance(document.data, list):
        found = [
            _job(document, (index,), path, setting, Origin(hook=hook)) for index in range(len(document.data))
        ]
        return _result(found, path)
    return _result([_job(document, (), path, setting, Origin(stem, hook, document.body))], path)


_Found = tuple[ParsedJob | None, list[SpecError]]


def _job(document: Document, root: Path, path: str, setting: Setting, origin: Origin) -> _Found:
    data = document.data[root[0]] if root else document.data
    report = document.report(path, root)
    place = Place(report)
    if not isinstance(data, Mapping):
        values.expected(place, "a job (keys with values)" if root else "a job, or a list of jobs", data)
        return None, report.errors
    job = read_job(data, place, setting, origin)
    parsed = None if job is None else ParsedJob(job, tuple(report.warnings), place.line or 1)
    return parsed, report.errors


def _result(found: list[_Found], path: str) -> FileResult:
    jobs: list[ParsedJob] = []
    errors: list[SpecError] = []
    first: dict[str, int] = {}
    for parsed, faults in found:
        errors += faults
        if parsed is None:
            continue
        identity = parsed.job.id
        if identity in first:
            message = f"a second job with the id `{identity}`; the first is on line {first[identity]}"
            errors.append(
                SpecError(message, file=path, line=parsed.line, key="id", hint="give it an `id:` of its own")
            )
            continue
        first[identity] = parsed.line
        jobs.append(parsed)
    return FileResult(tuple(jobs), tuple(sorted(errors, key=lambda error: error.line or 0)))
