"""Job files into the registry: what was added, changed, removed, broken or mended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from rota.app.cancelling import end_cancelled
from rota.app.chains import CIRCLE, note_strangers, without_circles, without_strangers
from rota.app.hands import agents_hand
from rota.app.hookindex import make_index
from rota.app.hooks import make_tokens
from rota.app.looks import said
from rota.app.stamps import STAMPS, stamps_of
from rota.app.triggers import put_job, remove_job
from rota.app.wiring import App
from rota.engine.boot import begin_list
from rota.engine.chains import begin_index
from rota.engine.environment import clean_environment
from rota.model.errors import RotaError, SpecError
from rota.model.instants import Micros
from rota.model.job import TIME_TRIGGERS, Job, Trigger
from rota.model.ledger import BrokenFile, Event, JobRecord
from rota.model.looks import LOOK_TRIGGERS
from rota.ports.store import Tx
from rota.spec import FileResult, digest, parse_file, parse_mapping, to_json
from rota.workspace.jobfiles import JobFile, read, scan

PYTHON_TIMEOUT = 20.0
_CLASH = "there is a job "


@dataclass(frozen=True)
class Report:
    """Ids of jobs by what happened to them, and the errors of files that cannot be used."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    errors: tuple[SpecError, ...] = ()

    @property
    def quiet(self) -> bool:
        """Whether nothing happened."""
        return not (self.added or self.changed or self.removed)


@dataclass(frozen=True)
class _Read:
    file: JobFile
    result: FileResult


@dataclass
class _Change:
    """What one sync is going to write."""

    reads: Sequence[_Read]
    present: frozenset[str]
    timezone: str
    stamps: Mapping[str, str]
    before: Mapping[str, str]
    now: Micros
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    errors: list[SpecError] = field(default_factory=list)
    stale: bool = False


def sync(app: App) -> Report:
    """Read the files that changed since the last sync, and bring the registry up to date in one transaction."""
    while (report := _sync_once(app)) is None:
        pass  # another process was quicker, and what it wrote is newer than what was looked at here
    return report


def _sync_once(app: App) -> Report | None:
    stored = app.store.read(lambda tx: tx.cursors.get(STAMPS)) or {}  # before the look at the folder
    files = scan(app.layout)
    stamps = stamps_of(app.layout, files)
    if stored == stamps:
        return Report()
    everything = stored.get("") != stamps[""]
    broken = app.store.read(lambda tx: tx.jobs.broken_files())
    # A file that clashed with another one, or closed a circle with it, may be fine now that the other changed.
    clashed = {b.path for b in broken if b.error.startswith(_CLASH) or CIRCLE in b.error}
    todo = [f for f in files if everything or stored.get(f.path) != f.stamp or f.path in clashed]
    change = _Change(
        reads=[_Read(file, parse_job_file(app, file)) for file in todo],
        present=frozenset(f.path for f in files),
        timezone=app.config.timezone,
        stamps=stamps,
        before=stored,
        now=app.clock.now(),
    )
    _make_tokens(app, change)  # first: whoever finds the hook finds its token
    app.store.write_now(partial(_write, change=change))
    if change.stale:
        return None
    end_cancelled(app)
    return Report(tuple(change.added), tuple(change.changed), tuple(change.removed), tuple(change.errors))


def _make_tokens(app: App, change: _Change) -> None:
    """What is never open has to be reachable: a hook without a secret of its own gets one of rota's."""
    jobs = [parsed.job for item in change.reads for parsed in item.result.jobs if parsed.job.triggers]
    try:
        make_tokens(app, jobs)
    except (OSError, RotaError) as error:  # the hook refuses everything until it has one
        import structlog

        structlog.get_logger("rota.sync").error("token_not_made", error=str(error))


def parse_job_file(app: App, file: JobFile) -> FileResult:
    """Read one job file, of whichever format. Nothing is raised."""
    try:
        text = read(app.layout, file)
    except OSError as error:
        hint = "check its permissions"
        return FileResult((), (SpecError(f"cannot be read: {error.strerror}", file=file.path, hint=hint),))
    try:
        return _parse_python(app, file) if file.path.endswith(".py") else _parse_text(app, file, text)
    except Exception as error:  # noqa: BLE001 # one file must not keep all the others from being read
        import structlog  # heavy, and hardly ever needed

        structlog.get_logger("rota.sync").exception("job_file_not_understood", file=file.path)
        words = f"rota failed over this file: {type(error).__name__}: {error}"
        return FileResult((), (SpecError(words, file=file.path, hint="this is a defect of rota: report it"),))


def _parse_text(app: App, file: JobFile, text: str) -> FileResult:
    return parse_file(
        text,
        file.path,
        app.kinds.catalog,
        channels=app.config.channels,
        sources=app.config.sources,
        servers=app.config.agent.mcp,
        timezone=app.config.timezone,
    )


def _parse_python(app: App, file: JobFile) -> FileResult:
    """A Python file is run in a process of its own, to learn which functions it makes jobs of."""
    argv = [sys.executable, "-m", "rota.authoring", str(app.layout.root / file.path), file.path]
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            cwd=app.layout.root,
            timeout=PYTHON_TIMEOUT,
            check=False,
            env=clean_environment(app.config),
            stdin=subprocess.DEVNULL,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        text = f"importing it took longer than {PYTHON_TIMEOUT:g} s"
        return FileResult((), (SpecError(text, file=file.path, hint="keep work inside the functions"),))
    except ValueError:
        text = f"the file ended Python (exit code {done.returncode})"
        return FileResult((), (SpecError(text, file=file.path, hint="keep work inside the functions"),))
    if "error" in answer:
        return FileResult((), (SpecError(answer["error"], file=file.path, line=answer.get("line")),))
    results = [
        parse_mapping(
            found["job"],
            file.path,
            app.kinds.catalog,
            channels=app.config.channels,
            sources=app.config.sources,
            servers=app.config.agent.mcp,
            timezone=app.config.timezone,
            line=found["line"],
        )
        for found in answer["jobs"]
    ]
    return FileResult(
        tuple(job for result in results for job in result.jobs),
        tuple(error for result in results for error in result.errors),
    )


def _write(tx: Tx, change: _Change) -> None:
    if (tx.cursors.get(STAMPS) or {}) != change.before:
        # A job whose file came after the look at the folder would be taken for one that was removed.
        change.stale = True
        return
    records = {record.id: record for record in tx.jobs.all()}
    if not records:
        begin_index(tx, change.now)
        begin_list(tx, change.now)
        make_index(tx, change.now)
    files = [(item.file.path, item.result) for item in change.reads]
    owners = _owners(records.values(), change)
    results = without_circles(records.values(), files, owners=owners, present=change.present)
    change.reads = [replace(item, result=result) for item, result in zip(change.reads, results, strict=True)]
    owners = _owners(records.values(), change)
    seen: dict[str, set[str]] = {}
    for item in change.reads:
        seen[item.file.path] = _write_file(tx, item, owners, change)
    read = seen.keys()
    failed = {error.file for error in change.errors}
    for record in records.values():
        if record.origin != "file" or record.path is None:
            continue
        gone = record.path not in change.present and owners.get(record.id) in {None, record.path}
        dropped = record.path in read and record.path not in failed and record.id not in seen[record.path]
        if (gone or dropped) and not any(record.id in ids for ids in seen.values()):
            remove_job(tx, record.id, change.now, by=agents_hand(tx, record.id, None))
            change.removed.append(record.id)
    kept = [b for b in tx.jobs.broken_files() if b.path in change.present and b.path not in read]
    found = [
        BrokenFile(error.file or "", _said(error), error.line, error.hint, change.now)
        for error in _first_of_each_file(change.errors)
    ]
    tx.jobs.set_broken_files([*kept, *found])
    note_strangers(tx)
    tx.cursors.put(STAMPS, dict(change.stamps), change.now)


def _said(error: SpecError) -> str:
    """The error without its place, which is shown apart."""
    return (
        f"`{error.key}`: {error.message}"
        if error.key and not error.message.startswith(_CLASH)
        else error.message
    )


def _owners(records: Iterable[JobRecord], change: _Change) -> dict[str, str | None]:
    """Which file has which job; one that was read and no longer has it lets go, unless it is broken."""
    has = {
        item.file.path: None if item.result.errors else {parsed.job.id for parsed in item.result.jobs}
        for item in change.reads
    }
    return {
        record.id: record.path
        for record in records
        if record.path in change.present and ((ids := has.get(record.path or "")) is None or record.id in ids)
    }


def _write_file(tx: Tx, item: _Read, owners: dict[str, str | None], change: _Change) -> set[str]:
    """Write the jobs of one file; their ids. Errors mark the file's earlier jobs, which stay as they were."""
    path, good = item.file.path, set()
    change.errors.extend(_placed(error, path) for error in item.result.errors)
    for parsed in item.result.jobs:
        owner = owners.get(parsed.job.id)
        if owner is not None and owner != path:
            text = f"{_CLASH}`{parsed.job.id}` already, in {owner}"
            change.errors.append(
                SpecError(text, file=path, line=parsed.line, key="id", hint="give one of them another `id:`")
            )
            continue
        owners[parsed.job.id] = path
        good.add(parsed.job.id)
        _put(tx, parsed.job, parsed.warnings, path, change)
    errors = [error for error in change.errors if error.file == path]
    if errors:
        for record in tx.jobs.all():
            if record.path == path and record.id not in good:
                tx.jobs.set_error(record.id, str(errors[0]), change.now)
    return good


def _put(tx: Tx, job: Job, warnings: Sequence[str], path: str, change: _Change) -> None:
    before = tx.jobs.get(job.id)
    there = before is not None and before.removed_at is None
    text = to_json(job)
    hash_ = digest(text)
    record = JobRecord(
        id=job.id,
        name=job.name,
        definition=text,
        hash=hash_,
        origin="file",
        created_at=before.created_at if before is not None else change.now,
        updated_at=change.now,
        path=path,
        description=job.description,
        schedule=", ".join(_when(trigger) for trigger in job.triggers) or "manual",
        timezone=job.timezone or change.timezone,
        enabled=job.enabled,
        paused_at=before.paused_at if before is not None else None,
        paused_reason=before.paused_reason if before is not None else None,
        warnings=tuple(warnings),
        created_by=before.created_by if before is not None and there else None,
        changed_by=before.changed_by if before is not None and there else None,
    )
    if before is not None and there:
        unchanged = replace(before, updated_at=change.now, warnings=without_strangers(before.warnings))
        if unchanged == record:
            return
    by = agents_hand(tx, job.id, hash_)
    record = replace(record, changed_by=by) if there else replace(record, created_by=by)
    put_job(tx, record, job, change.now)
    (change.changed if there else change.added).append(job.id)
    about = {"path": path} if by is None else {"path": path, "proposal": by}
    tx.events.append(Event("job_changed" if there else "job_added", change.now, job.id, None, about))


def _when(trigger: Trigger) -> str:
    """A trigger as a list of jobs shows it."""
    if trigger.kind in TIME_TRIGGERS:
        return trigger.text
    if trigger.kind in LOOK_TRIGGERS:
        return said(trigger)
    words = {"webhook": f"webhook {trigger.text}", "job": f"after {trigger.text}", "reboot": "@reboot"}
    return words.get(trigger.kind, trigger.kind)


def _placed(error: SpecError, path: str) -> SpecError:
    if error.file is None:
        error.file = path
    return error


def _first_of_each_file(errors: Sequence[SpecError]) -> list[SpecError]:
    first: dict[str | None, SpecError] = {}
    for error in errors:
        first.setdefault(error.file, error)
    return list(first.values())
