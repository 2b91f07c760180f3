"""What only looks: jobs, runs, what is due, what waits. Views are frozen and JSON-able."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rota.app.control import running_daemon
from rota.app.doorway import Doorway, doorway
from rota.app.wiring import App
from rota.model.errors import NotFoundError
from rota.model.instants import Micros
from rota.model.ledger import BrokenFile, DaemonRecord, JobRecord, Occurrence
from rota.model.looks import LookRecord
from rota.model.message import Approval, Message
from rota.model.run import ACTIVE, Attempt, Run, RunState, StepRun
from rota.ports.store import Tx

if TYPE_CHECKING:
    from rota.app.looks import LookView
    from rota.app.spend import BudgetUse


@dataclass(frozen=True)
class JobView:
    """A job as `rota list` shows it. `next_due`: the soonest of its time triggers, when it may fire.

    `looks`: its triggers that look at files or poll.
    """

    record: JobRecord
    next_due: Micros | None
    last_run: Run | None
    active: int = 0
    looks: tuple[LookView, ...] = ()


@dataclass(frozen=True)
class RunView:
    """A run with all that is known of it."""

    run: Run
    steps: list[StepRun]
    attempts: list[Attempt]
    messages: list[Message]
    questions: list[Approval]


@dataclass(frozen=True)
class StatusView:
    """The workspace at a glance. `daemon` None: none runs."""

    workspace: Path
    name: str
    timezone: str
    daemon: Mapping[str, Any] | None
    last_daemon: DaemonRecord | None
    jobs: Mapping[str, int]
    active: list[Run]
    orphans: frozenset[str]
    next_due: tuple[str, Micros] | None
    broken: list[BrokenFile] = field(default_factory=list)
    undelivered: list[Message] = field(default_factory=list)
    failing: list[LookView] = field(default_factory=list)
    questions: list[Approval] = field(default_factory=list)
    settings_errors: tuple[str, ...] = ()
    budgets: list[BudgetUse] = field(default_factory=list)
    door: Doorway | None = None


_EVER = 2**62  # after every instant


def find_job(app: App, job_id: str) -> JobRecord:
    """The job of that id (removed ones too). Raises NotFoundError with a guess."""
    record = app.store.read(lambda tx: tx.jobs.get(job_id))
    if record is None:
        ids = [r.id for r in app.store.read(lambda tx: tx.jobs.all())]
        close = difflib.get_close_matches(job_id, ids, 1)
        hint = f"did you mean `{close[0]}`?" if close else "see what there is: rota list"
        for file in broken_files(app):
            if Path(file.path).stem == job_id:
                raise NotFoundError(
                    f"the job `{job_id}` cannot be used: {file.path}: {file.error}",
                    hint=file.hint or f"rota check {file.path}",
                )
        raise NotFoundError(f"there is no job `{job_id}`", hint=hint)
    return record


def find_run(app: App, text: str) -> Run:
    """The run of that id, of a beginning or end of it, or the latest of that job. Raises NotFoundError."""
    found = app.store.read(lambda tx: tx.runs.get(text))
    if found is not None:
        return found
    latest = app.store.read(lambda tx: tx.runs.recent(job_id=text, limit=1))
    if latest:
        return latest[0]
    matches = app.store.read(lambda tx: tx.runs.find(text)) if len(text) >= 4 else []
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(run.id for run in matches[:4])
        raise NotFoundError(f"`{text}` fits several runs: {ids}", hint="give more of the id")
    if app.store.read(lambda tx: tx.jobs.get(text)) is not None:
        raise NotFoundError(f"`{text}` has not run yet", hint=f"start it with `rota run {text}`")
    raise NotFoundError(f"there is no run or job `{text}`", hint="see `rota list` and `rota history JOB`")


def list_jobs(app: App) -> list[JobView]:
    """Every job, by id. Four queries, however many jobs there are."""
    now = app.clock.now()

    def look(tx: Tx) -> list[JobView]:
        looking: dict[str, list[LookRecord]] = {}
        for one in tx.looks.all():
            looking.setdefault(one.job_id, []).append(one)
        soonest: dict[str, Micros] = {}
        for trigger in tx.triggers.all():
            if trigger.next_due is not None:
                known = soonest.get(trigger.job_id)
                soonest[trigger.job_id] = min(known, trigger.next_due) if known else trigger.next_due
        latest = tx.runs.latest()
        counts: dict[str, int] = {}
        for run in tx.runs.recent(states=ACTIVE, limit=10_000):
            counts[run.job_id] = counts.get(run.job_id, 0) + 1
        return [
            JobView(
                record,
                soonest.get(record.id) if record.enabled and record.paused_at is None else None,
                latest.get(record.id),
                counts.get(record.id, 0),
                _looks(looking.get(record.id, ()), record, now),
            )
            for record in tx.jobs.all()
        ]

    return app.store.read(look)


def _looks(records: Iterable[LookRecord], record: JobRecord, now: Micros) -> tuple[LookView, ...]:
    """Of a job that has any: its definition takes long to read."""
    from rota.app.looks import views
    from rota.spec import from_json

    return tuple(views(records, record, from_json(record.definition), now)) if records else ()


def removed_jobs(app: App) -> list[JobView]:
    """Jobs that are no more, by id."""
    return [
        JobView(record, None, None)
        for record in app.store.read(lambda tx: tx.jobs.all(removed=True))
        if record.removed_at is not None
    ]


def job_view(app: App, record: JobRecord) -> JobView:
    """One job as `list_jobs` shows it."""

    def look(tx: Tx) -> JobView:
        due = [t.next_due for t in tx.triggers.of(record.id) if t.next_due is not None]
        last = tx.runs.recent(job_id=record.id, limit=1)
        fires = record.status in {"active", "broken"}
        active = len(tx.runs.active(record.id))
        looks = _looks(tx.looks.of(record.id), record, app.clock.now())
        return JobView(record, min(due) if due and fires else None, last[0] if last else None, active, looks)

    return app.store.read(look)


def schedules(app: App, record: JobRecord, count: int = 3) -> list[tuple[str, str, list[Micros]]]:
    """Each time trigger of a job: its text, what it means in words, its next fires."""
    from rota.engine.definitions import schedule_of
    from rota.planning.due import next_due

    found = []
    for trigger in app.store.read(lambda tx: tx.triggers.of(record.id)):
        schedule = schedule_of(trigger)
        times: list[Micros] = []
        moment = trigger.next_due
        while moment is not None and len(times) < count:
            times.append(moment)
            moment = next_due(schedule, moment)
        found.append((trigger.text, schedule.describe(), times))
    return found


def fires(app: App, record: JobRecord, after: Micros, count: int) -> list[Micros]:
    """The coming moments of all time triggers of a job, in order, each once."""
    from rota.engine.definitions import schedule_of
    from rota.planning.due import next_due

    found: set[Micros] = set()
    for trigger in app.store.read(lambda tx: tx.triggers.of(record.id)):
        schedule, moment = schedule_of(trigger), after
        for _ in range(count):
            upcoming = next_due(schedule, moment)
            if upcoming is None:
                break
            found.add(upcoming)
            moment = upcoming
    return sorted(found)[:count]


def questions_of(app: App, text: str) -> list[Approval]:
    """The open questions of a run. Raises NotFoundError."""
    run = find_run(app, text)
    return [a for a in app.store.read(lambda tx: tx.approvals.of(run.id)) if a.state.value == "open"]


def broken_files(app: App) -> list[BrokenFile]:
    """Job files that cannot be used."""
    return app.store.read(lambda tx: tx.jobs.broken_files())


def run_view(app: App, text: str) -> RunView:
    """All that is known of one run. Raises NotFoundError."""
    run = find_run(app, text)
    return app.store.read(
        lambda tx: RunView(
            tx.runs.get(run.id) or run,
            tx.runs.steps(run.id),
            tx.runs.attempts(run.id),
            tx.outbox.recent(run_id=run.id),
            tx.approvals.of(run.id),
        )
    )


def history(app: App, job_id: str, limit: int) -> list[Run]:
    """The latest runs of a job, latest first. Raises NotFoundError."""
    record = find_job(app, job_id)
    return app.store.read(lambda tx: tx.runs.recent(job_id=record.id, limit=limit))


def did_not_run(app: App, job_id: str) -> str:
    """How many of a job's moments did not run, by outcome: '3 skipped, 1 missed'; empty where there are none."""
    counts = app.store.read(lambda tx: tx.ledger.count(job_id))
    return ", ".join(
        f"{number:,} {outcome}" for outcome, number in sorted(counts.items()) if outcome != "ran"
    )


def inbox(app: App) -> list[Approval]:
    """Questions that wait for an answer, oldest first."""
    return app.store.read(lambda tx: tx.approvals.open())


@dataclass(frozen=True)
class DueView:
    """What should be at work now: an occurrence that nobody has noticed yet (`run` None), or a run. `waits_for`: in words."""

    job_id: str
    due_at: Micros
    timezone: str
    waits_for: str
    run: Run | None = None


def due(app: App) -> list[DueView]:
    """What is due now and is not at work: occurrences to be noticed, queued runs, runs whose wait is over."""
    now = app.clock.now()
    idle = None if running_daemon(app.layout) is not None else "a daemon, or `rota tick`"

    def look(tx: Tx) -> list[DueView]:
        zones = {record.id: record.timezone for record in tx.jobs.all(removed=True)}
        found = []
        for run in tx.runs.claimable(now, 1000):
            fresh = run.started_at is None
            words = idle or "a free place"
            at = (run.due_at or run.queued_at) if fresh else run.not_before or run.queued_at
            found.append(DueView(run.job_id, at, zones[run.job_id], words, run))
        for trigger in tx.triggers.due(now, 1000):
            if trigger.next_due is not None:
                words = idle or "the daemon's next look"
                found.append(DueView(trigger.job_id, trigger.next_due, trigger.timezone, words))
        return sorted(found, key=lambda view: (view.due_at, view.job_id))

    return app.store.read(look)


def definition(record: JobRecord) -> dict[str, Any]:
    """The job's definition as data."""
    return dict(json.loads(record.definition))


def policies(record: JobRecord) -> list[tuple[str, str]]:
    """What becomes of the job's runs when they are over, as `rota show` says it: a key and its meaning."""
    from rota.planning.evidence import words
    from rota.planning.retry import in_words
    from rota.spec import from_json

    job = from_json(record.definition)
    said = [("success_if", words(item)) for item in job.success_if]
    if job.retry_run.attempts > 1:
        said.append(("retry_run", in_words(job.retry_run)))
    return said


def retry_of(app: App, run: Run) -> Run | None:
    """The attempt at the same that waits after a run which failed."""
    from rota.planning.retry import attempt_of

    first = attempt_of(run)[0]
    waiting = app.store.read(lambda tx: tx.runs.active(run.job_id))
    return next((other for other in waiting if attempt_of(other)[0] == first), None)


def status(app: App) -> StatusView:
    """The workspace at a glance."""
    running = running_daemon(app.layout)
    counts, upcoming, failing, daemons, active, outbox, questions = app.store.read(
        lambda tx: (
            tx.jobs.counts(),
            tx.triggers.due(_EVER, 1),
            failing_polls(tx, app.clock.now()),
            tx.daemons.recent(1),
            tx.runs.recent(states=ACTIVE, limit=1000),
            tx.outbox.recent(limit=200),
            tx.approvals.open(),
        )
    )
    return StatusView(
        workspace=app.layout.root,
        name=app.config.name,
        timezone=app.config.timezone,
        daemon=None if running is None else dict(running.__dict__),
        last_daemon=daemons[0] if daemons else None,
        jobs=counts,
        active=active,
        orphans=frozenset(run.id for run in active if run.state is RunState.RUNNING and _is_orphan(app, run)),
        next_due=next(((t.job_id, t.next_due) for t in upcoming if t.next_due is not None), None),
        broken=broken_files(app),
        undelivered=[m for m in outbox if m.state.value in {"pending", "failed"} and m.error is not None],
        failing=failing,
        questions=questions,
        settings_errors=tuple(str(error) for error in app.settings.errors),
        budgets=_budgets(app),
        door=doorway(app),
    )


def _budgets(app: App) -> list[BudgetUse]:
    if app.config.budget.empty:
        return []
    from rota.app.spend import budgets  # heavy, and most workspaces have none

    return budgets(app)


def failing_polls(tx: Tx, now: Micros) -> list[LookView]:
    """The polls whose source fails at present, of jobs that may fire."""
    looks = [look for look in tx.looks.all() if look.failures]
    records = tx.jobs.get_many({look.job_id for look in looks})
    return [
        view
        for look in looks
        if (record := records.get(look.job_id)) is not None and record.enabled
        for view in _looks([look], record, now)
    ]


def _is_orphan(app: App, run: Run) -> bool:
    from rota.engine.ownership import is_orphan

    return is_orphan(run, app.layout.owners, "", app.clock.now())


def occurrences(app: App, job_id: str, limit: int, around: Micros | None = None) -> list[Occurrence]:
    """The ledger of a job, latest first."""
    return app.store.read(lambda tx: tx.ledger.of(job_id, limit=limit, around=around))
