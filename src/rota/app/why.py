"""`rota why`: what was due, what happened, why, and what happens next, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rota.app import why_not
from rota.app.answers import then
from rota.app.control import running_daemon
from rota.app.queries import broken_files, find_job
from rota.app.times import ago, local, parse_time
from rota.app.times import upcoming as soon
from rota.app.why_then import down, is_about, lead_of, nothing_then
from rota.app.wiring import App
from rota.engine.definitions import schedule_of
from rota.engine.ownership import is_orphan
from rota.model.instants import Micros
from rota.model.ledger import BrokenFile, DaemonRecord, JobRecord, Occurrence, Outcome, TriggerRecord
from rota.model.looks import LOOK_TRIGGERS
from rota.model.message import DECIDED, ApprovalState
from rota.model.run import Reason, Run, RunState
from rota.planning.budgets import AGENT_STEPS
from rota.planning.due import plan
from rota.planning.lives import gaps
from rota.ports.store import Tx
from rota.spec import from_json

LIVES = 200
# Occurrences that are looked through for those of one minute, and shown where there are none.
AROUND = 200
NEAREST = 3


@dataclass(frozen=True)
class WhyView:
    """The ledger of a job. `runs` by id; `notes`: what is to be said besides; `words`: the whole answer, by line.

    `status` is that of `rota list`; a job whose file never was good has no occurrences, and is broken.
    """

    job: str
    status: str
    timezone: str
    occurrences: Sequence[Occurrence]
    runs: Mapping[str, Run]
    next_due: Micros | None
    notes: Sequence[Reason]
    words: Sequence[str]


@dataclass(frozen=True)
class _Known:
    """What the state says, as of one snapshot. `obstacles`: what keeps the job from firing."""

    record: JobRecord
    found: Sequence[Occurrence]
    runs: Mapping[str, Run]
    triggers: Sequence[TriggerRecord]
    upcoming: Micros | None
    obstacles: Sequence[Reason]
    active: Sequence[Run]
    lives: Sequence[DaemonRecord]


def why(app: App, job_id: str, *, at: Micros | None = None, limit: int = 10) -> WhyView:
    """Answer from the ledger; about a moment where `at` is given: a whole minute, or a second. Raises NotFoundError."""
    file = _broken_file(app, job_id)
    record = app.store.read(lambda tx: tx.jobs.get(job_id))
    if record is None and file is not None:
        notes = list(_of_file(file))
        words = [f"{job_id} has never been due.", *(note.text for note in notes)]
        return WhyView(job_id, "broken", app.config.timezone, [], {}, None, notes, words)
    record = find_job(app, job_id)
    now, zone = app.clock.now(), record.timezone
    known = app.store.read(partial(_look, app=app, record=record, at=at, limit=limit))
    running = running_daemon(app.layout) is not None
    silent = gaps(known.lives, running=running, whole=len(known.lives) < LIVES)
    shown = known.found
    lead: list[str] = []
    answer: list[Reason] = []
    if at is not None:
        about = [occurrence for occurrence in shown if is_about(occurrence, at)]
        if not about:
            keep = app.config.limits.keep_ledger_days
            answer = list(nothing_then(record, known.triggers, at, now, keep))
            if record.created_at <= at <= now:
                answer += [down(gap, zone) for gap in silent if gap.touches(at, at)]
            lead = [*lead_of(answer, at, now, zone), *(one.text for one in answer)]
            lead += ["The nearest:"] if shown else []
        shown = about or shown
    elif not shown:
        lead = [
            f"{record.id} has never been due."
            if (known.upcoming or now) >= now
            else f"{record.id} has not run yet."
        ]
    late = [o for o in shown if o.outcome is Outcome.MISSED or o.reason.code == "caught_up"]
    past = [gap for gap in silent if gap.until is not None]  # one that lasts has a word of its own
    notes = [down(gap, zone) for gap in past if any(gap.touches(o.due_at, o.until or o.due_at) for o in late)]
    notes += known.obstacles
    if record.removed_at is not None and file is not None:
        notes += _of_file(file)
    notes += [*_active(known, app), *_daemon(known, running, now), *_next(known, now)]
    notes = [note for note in notes if note not in answer]
    lines = [_occurrence(occurrence, known.runs, zone) for occurrence in shown]
    words = [*lead, *lines, *(note.text for note in notes)]
    return WhyView(
        record.id, record.status, zone, shown, known.runs, known.upcoming, [*answer, *notes], words
    )


def moment_of(app: App, job_id: str, text: str) -> Micros:
    """What a person means by a time, on the clocks of the job's zone. Raises RotaError."""
    record = app.store.read(lambda tx: tx.jobs.get(job_id))
    return parse_time(text, record.timezone if record else app.config.timezone, app.clock.now())


def _look(tx: Tx, app: App, record: JobRecord, at: Micros | None, limit: int) -> _Known:
    now = app.clock.now()
    near = [] if at is None else tx.ledger.of(record.id, limit=AROUND, around=at)
    found = [one for one in near if at is not None and is_about(one, at)][:limit]
    found = found or tx.ledger.of(record.id, limit=limit if at is None else min(limit, NEAREST), around=at)
    runs = {o.run_id: run for o in found if o.run_id and (run := tx.runs.get(o.run_id)) is not None}
    timed = tx.triggers.of(record.id)
    job = from_json(record.definition)
    fires = record.enabled and record.paused_at is None and record.removed_at is None
    due = [trigger.next_due for trigger in timed if trigger.next_due is not None and fires]
    upcoming = min(due, default=None)
    obstacles = list(why_not.state(record))
    if record.removed_at is None:
        called = any(occurrence.trigger_id != "manual" for occurrence in found)
        obstacles += why_not.triggers(tx, record, job, timed, called=called)
        if job.condition is not None:
            from rota.engine.environment import workspace_value  # heavy, as the settings are

            place = workspace_value(app.layout.root, app.config)
            obstacles += why_not.condition(tx, record, job, now, place, always=not called)
        if any(trigger.kind in LOOK_TRIGGERS for trigger in job.triggers):
            from rota.app import looks  # heavy, and most jobs have none

            obstacles += looks.reasons(tx, record, job, now)
        if fires and any(step.kind in AGENT_STEPS for step in job.steps):
            obstacles += why_not.budgets(tx, job, app.config, now)
        obstacles += why_not.windows(record, job, upcoming, now) if fires else ()
    return _Known(
        record, found, runs, timed, upcoming, obstacles, tx.runs.active(record.id), tx.daemons.recent(LIVES)
    )


def _broken_file(app: App, job_id: str) -> BrokenFile | None:
    """The job file of that name that cannot be used."""
    return next((file for file in broken_files(app) if Path(file.path).stem == job_id), None)


def _of_file(file: BrokenFile) -> Iterator[Reason]:
    place = file.path + (f":{file.line}" if file.line else "")
    words = f"Its file {place} cannot be used, and no version of it was good so far: {file.error}"
    yield Reason("broken", words)
    yield Reason("hint", f"Hint: {file.hint or f'rota check {file.path}'}")


def _occurrence(occurrence: Occurrence, runs: Mapping[str, Run], timezone: str) -> str:
    when = local(occurrence.due_at, timezone)
    if occurrence.until is not None:
        count = f"{occurrence.count} times" if occurrence.count else "many times"
        when = f"{when} to {local(occurrence.until, timezone)} ({count})"
    said = f"{when}  {occurrence.outcome.value}: {occurrence.reason.text}"
    run = runs.get(occurrence.run_id or "")
    if run is not None:
        said += f"; run {run.id} {run.state.value}"
        if run.state is RunState.WAITING or (run.final and run.state is not RunState.SUCCEEDED):
            said += f" ({run.reason.text})"
    return said


def _active(known: _Known, app: App) -> Iterator[Reason]:
    """What of the job is under way."""
    zone = known.record.timezone
    for run in known.active:
        if run.state is RunState.RUNNING and is_orphan(run, app.layout.owners, "", app.clock.now()):
            words = f"Run {run.id} was at work when its process ended; the next daemon takes it up again."
            yield Reason("orphaned", words)
        elif run.state is RunState.RUNNING and run.started_at is not None:
            yield Reason("running", f"Run {run.id} is at work since {local(run.started_at, zone)}.")
        elif run.state is RunState.QUEUED:
            yield Reason(
                "queued", f"Run {run.id} is queued since {local(run.queued_at, zone)}, for a free place."
            )
        elif run.not_before is not None:
            words = f"Run {run.id} waits ({run.reason.text}); it goes on {local(run.not_before, zone)}."
            yield Reason("waiting", words)
        else:
            yield Reason("waiting", f"Run {run.id} waits ({run.reason.text}).{_until(app, run, zone)}")


def _until(app: App, run: Run, zone: str) -> str:
    """How long the question of a run waits, and how it is answered."""
    asked = app.store.read(lambda tx: tx.approvals.of(run.id))
    question = next((a for a in asked if a.kind in DECIDED and a.state is ApprovalState.OPEN), None)
    if question is None:
        return " Hint: rota inbox"
    limit = question.expires_at
    words = "" if limit is None else f" It does so until {local(limit, zone)}: {then(question)}."
    return f"{words} Hint: rota approve {run.id}, or rota deny {run.id} --reason ..."


def _daemon(known: _Known, running: bool, now: Micros) -> Iterator[Reason]:
    if running:
        return
    if not known.lives:
        yield Reason("no_daemon", "No daemon has ever run on this workspace. Hint: rota up")
        return
    last = max(life.stopped_at or life.seen_at for life in known.lives)
    since = f"{ago(last, now)} ({local(last, known.record.timezone)})"
    words = f"No daemon is running; the last one was seen {since}. Hint: rota up"
    yield Reason("no_daemon", words)


def _next(known: _Known, now: Micros) -> Iterator[Reason]:
    zone = known.record.timezone
    if known.upcoming is None:
        return
    if known.upcoming > now:
        first = "" if any(o.trigger_id != "manual" for o in known.found) else ", for the first time"
        yield Reason("next", f"Next: {soon(known.upcoming, zone, now)}{first}.")
        return
    yield _unnoticed(known, now)


def _unnoticed(known: _Known, now: Micros) -> Reason:
    """What the next look will make of what is due already."""
    job = from_json(known.record.definition)
    plans = [plan(trigger, schedule_of(trigger), job.catch_up, now) for trigger in known.triggers]
    rows = [row for found in plans for row in found.rows]
    running = sum(row.outcome is Outcome.RAN for row in rows)
    missed = sum(row.count for row in rows) - running
    if all(row.count for row in rows):
        counted = f"{missed + running:,} moment{'s' * (missed + running != 1)}"
    else:
        counted = "very many moments"
    since = local(known.upcoming or now, known.record.timezone)
    fate = (
        f"runs {running}, and records the others as missed"
        if missed or not running
        else "runs it"
        if running == 1
        else "runs them"
    )
    words = f"Next: due since {since}, and nobody has looked yet ({counted}). The next look {fate} (catch_up: {job.catch_up.mode.value})."
    return Reason("unnoticed", words)
