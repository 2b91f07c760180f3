"""`rota simulate`: the coming load of the workspace, from the state alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from statistics import median_low

from rota.app.forecast import NOTHING_ASKED, Forecast, forecast
from rota.app.queries import find_job
from rota.app.times import city, zoned
from rota.app.wiring import App
from rota.engine.definitions import schedule_of
from rota.model.errors import RotaError
from rota.model.instants import Micros, to_micros
from rota.model.job import Job
from rota.model.ledger import BrokenFile, JobRecord, TriggerRecord
from rota.model.run import Reason
from rota.planning.clock_changes import ClockChange, clock_changes, effect
from rota.planning.load import Expected, JobLoad, coming
from rota.planning.timeline import DayLoad, timeline
from rota.ports.store import Tx
from rota.schedule import Schedule
from rota.spec import from_json

LENGTHS = 20
# Moments that are listed, of one job and of all: more of them are counted instead.
MOST_OF_JOB = 3_000
MOST_OF_ALL = 100_000


@dataclass(frozen=True)
class Shift:
    """A zone in use moves its clock. `effects`: (job, schedule text, what it does then)."""

    change: ClockChange
    effects: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class LoadView:
    """The load between two instants. `left_out`: jobs and files that are not counted, and why.

    `notes`: what the numbers of a job do not know of. `limit`: runs at once. `unproven`: jobs that have
    run, and never succeeded.
    """

    start: Micros
    end: Micros
    timezone: str
    limit: int
    days: tuple[DayLoad, ...]
    jobs: tuple[JobLoad, ...]
    shifts: tuple[Shift, ...]
    left_out: tuple[tuple[str, Reason], ...]
    notes: tuple[tuple[str, Reason], ...]
    unproven: frozenset[str]
    forecast: Forecast = NOTHING_ASKED


@dataclass(frozen=True)
class _Read:
    """A job as the state has it. `ran`: whether it ever did. `lengths`: of its last runs that succeeded."""

    record: JobRecord
    triggers: Sequence[TriggerRecord]
    lengths: Sequence[Micros]
    ran: bool


def simulate(app: App, *, days: int, start: Micros, jobs: Sequence[str] = ()) -> LoadView:
    """The load of the `days` times 24 hours from `start` on (of those `jobs` alone). Raises NotFoundError."""
    wanted = [find_job(app, job).id for job in jobs]
    reads, broken = app.store.read(lambda tx: _look(tx, wanted))
    edges = _edges(start, days, app.config.timezone)
    expected: list[Expected] = []
    left_out: list[tuple[str, Reason]] = []
    notes: list[tuple[str, Reason]] = []
    for read in reads:
        found = _expected(read)
        if isinstance(found, Reason):
            left_out.append((read.record.id, found))
        else:
            expected.append(found)
            notes += [(read.record.id, note) for note in _unknowns(read.record, found.job)]
    if not wanted:
        known = {read.record.path for read in reads}
        left_out += [_of_file(file) for file in broken if file.path not in known]
    most = min(MOST_OF_JOB, MOST_OF_ALL // max(1, len(expected)))
    loads = [coming(one, edges, most) for one in expected]
    config = app.config
    return LoadView(
        start=start,
        end=edges[-1],
        timezone=config.timezone,
        limit=config.limits.runs,
        days=timeline(loads, edges, config.limits.runs, config.groups),
        jobs=tuple(loads),
        shifts=tuple(_shifts(expected, config.timezone, start, edges[-1])),
        left_out=tuple(sorted(left_out, key=lambda one: one[0])),
        notes=tuple(notes),
        unproven=frozenset(read.record.id for read in reads if read.ran and not read.lengths),
        forecast=app.store.read(lambda tx: forecast(tx, loads, edges, config, app.clock.now())),
    )


def _expected(read: _Read) -> Expected | Reason:
    """What is to be reckoned with; the reason where a job brings nothing."""
    record = read.record
    asleep = _sleeps(record)
    if asleep is not None:
        return asleep
    if not read.triggers:
        return Reason("no_time_trigger", f"not by the clock: {record.schedule or 'manual'}")
    try:
        job, schedules = from_json(record.definition), tuple(map(schedule_of, read.triggers))
    except RotaError as error:
        return Reason("broken", str(error))
    return Expected(job, schedules, record.timezone, median_low(read.lengths) if read.lengths else None)


def _look(tx: Tx, wanted: Sequence[str]) -> tuple[list[_Read], list[BrokenFile]]:
    triggers: dict[str, list[TriggerRecord]] = {}
    for trigger in tx.triggers.all():
        triggers.setdefault(trigger.job_id, []).append(trigger)
    records = [record for record in tx.jobs.all(removed=bool(wanted)) if not wanted or record.id in wanted]
    ran = {job_id for job_id, run in tx.runs.latest().items() if run.final}
    reads = [
        _Read(record, triggers.get(record.id, ()), tx.runs.lengths(record.id, LENGTHS), record.id in ran)
        for record in records
    ]
    return reads, tx.jobs.broken_files()


def _edges(start: Micros, days: int, timezone: str) -> list[Micros]:
    """`start`, the midnights after it, and the end: `days` later, at the same time of day."""
    first = zoned(start, timezone)

    def at(day: int, clock: time) -> Micros:
        return to_micros(datetime.combine(first.date() + timedelta(days=day), clock, first.tzinfo))

    end = at(days, first.time())
    midnights = [midnight for day in range(1, days + 1) if start < (midnight := at(day, time(0))) < end]
    return [start, *midnights, end]


def _sleeps(record: JobRecord) -> Reason | None:
    """Why no trigger of the job fires; None when they do."""
    if record.removed_at is not None:
        return Reason("removed", "removed")
    if record.paused_at is not None:
        return Reason("paused", f"paused ({record.paused_reason})")
    if not record.enabled:
        return Reason("disabled", "disabled in its file (`enabled: false`)")
    return None


def _of_file(file: BrokenFile) -> tuple[str, Reason]:
    return Path(file.path).stem, Reason("broken", f"broken, and never was good: {file.path}: {file.error}")


def _unknowns(record: JobRecord, job: Job) -> Iterator[Reason]:
    if record.error is not None:
        yield Reason("broken", "its file is broken: what is counted is the last good version")
    if job.condition is not None:
        yield Reason("condition", f"counted as if `if: {job.condition}` were always true")


def _shifts(expected: Sequence[Expected], timezone: str, start: Micros, end: Micros) -> Iterator[Shift]:
    zones = {timezone, *(one.timezone for one in expected)}
    for change in clock_changes(zones, start, end):
        yield Shift(change, tuple(_effects(expected, change)))


def _effects(expected: Sequence[Expected], change: ClockChange) -> Iterator[tuple[str, str, str]]:
    for one in expected:
        for schedule in one.schedules:
            said = effect(schedule, change)
            if said is not None:
                yield one.job.id, schedule.text, said


def rhythm(load: JobLoad) -> str:
    """The schedules of a job in words."""
    return "; ".join(_said(schedule) for schedule in load.expected.schedules)


def _said(schedule: Schedule) -> str:
    return schedule.describe() or schedule.text


def shift_words(shift: Shift) -> str:
    """'London clocks go forward from 01:00 to 02:00'."""
    change = shift.change
    way = "forward" if change.forward else "back"
    return f"{city(change.timezone)} clocks go {way} from {change.before:%H:%M} to {change.after:%H:%M}"
