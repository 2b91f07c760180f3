"""Running a job for moments of the past: those that its time triggers named, and that did not run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from rota.app.commands import typed_params
from rota.app.control import nudge
from rota.app.queries import find_job
from rota.app.times import local
from rota.app.wiring import App
from rota.engine.backfill import call_for, make_up
from rota.engine.definitions import schedule_of
from rota.engine.environment import workspace_value
from rota.engine.queueing import Call, at_rest, default_params
from rota.model.errors import ConflictError, NotFoundError, RotaError
from rota.model.instants import DAY, Micros
from rota.model.ledger import JobRecord, Occurrence, Outcome
from rota.planning.backfill import Gap, gaps, moments
from rota.ports.store import Tx
from rota.schedule import local_time
from rota.spec import from_json

LIMIT = 100
# Moments that are looked at, whether or not they ran.
MOST = 10_000
_TO_A_TRANSACTION = 200


@dataclass(frozen=True)
class Missed:
    """A moment that did not run. `before`: what the ledger said of it; `run_id`: the run that makes up for it.

    `not_run`: why it would not have run then either, by `if:` or the windows.
    """

    due_at: Micros
    trigger_id: str
    key: str
    before: Occurrence | None
    not_run: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class Backfill:
    """What a backfill of [start, end) comes to. `ran`: how many of all `moments` ran already; `missed`: oldest first."""

    record: JobRecord
    start: Micros
    end: Micros
    moments: int
    missed: tuple[Missed, ...]
    calls: Sequence[Call]

    @property
    def ran(self) -> int:
        """How many of the moments are left alone, since they ran."""
        return self.moments - len(self.missed)

    @property
    def to_run(self) -> int:
        """How many runs it takes."""
        return sum(one.not_run is None for one in self.missed)


def plan_backfill(
    app: App,
    job_id: str,
    start: Micros,
    end: Micros,
    params: Mapping[str, str] | None = None,
    *,
    limit: int = LIMIT,
) -> Backfill:
    """See what a backfill would do; nothing is written. `params` are texts, as a command line gives them.

    Raises NotFoundError; ConflictError for a job that is paused or disabled; RotaError for a span that is
    not one of the past, for more runs than `limit`, and for parameters as `run_job` does.
    """
    now = app.clock.now()
    record = _ready(app, job_id)
    _check_span(app, record, start, end, now)
    job = from_json(record.definition)
    given = {**default_params(job), **typed_params(job, params or {})}
    triggers = app.store.read(lambda tx: tx.triggers.of(record.id))
    if not triggers:
        raise RotaError(
            f"`{record.id}` has no time trigger, so nothing was ever due",
            hint=f"start it by hand: rota run {record.id}",
            code="no_schedule",
        )
    due = moments([(t.trigger_id, schedule_of(t)) for t in triggers], start, end, MOST)
    if len(due) > MOST:
        raise RotaError(
            f"more than {MOST} moments lie in that span",
            hint=f"choose a shorter one: --to {_said(due[MOST][0], record)}",
            code="too_many",
        )

    workspace = workspace_value(app.layout.root, app.config)
    call = partial(call_for, record=record, job=job, params=given, workspace=workspace, now=now)

    def look(tx: Tx) -> tuple[list[Gap], list[Call]]:
        found = gaps(due, tx.ledger.between(record.id, start, end))
        return found, [call(tx, gap) for gap in found]

    found, calls = app.store.read(look)
    runs = [call for call in calls if call.verdict is Outcome.RAN]
    if len(runs) > limit:
        raise RotaError(
            f"{len(runs)} moments did not run, more than the limit of {limit}",
            hint=f"--limit {len(runs)} runs them all; the first {limit} are: --to {_said(runs[limit].due_at, record)}",
            code="too_many",
        )
    missed = tuple(_missed(gap, call) for gap, call in zip(found, calls, strict=True))
    return Backfill(record, start, end, len(due), missed, calls)


def backfill(app: App, planned: Backfill) -> Backfill:
    """Queue the runs of a plan, oldest first, each with its row in the ledger; the plan with its runs.

    A moment that has run since the plan was made is left alone.
    """
    runs: dict[tuple[str, str | None], str] = {}
    for first in range(0, len(planned.calls), _TO_A_TRANSACTION):
        calls = planned.calls[first : first + _TO_A_TRANSACTION]
        made = app.store.write_now(partial(make_up, calls=calls, now=app.clock.now()))
        runs |= {(run.trigger_id, run.occurrence_key): run.id for run in made}
    nudge(app.layout)
    missed = tuple(replace(one, run_id=runs.get((one.trigger_id, one.key))) for one in planned.missed)
    return replace(planned, missed=missed)


def _ready(app: App, job_id: str) -> JobRecord:
    record = find_job(app, job_id)
    if record.removed_at is not None:
        raise NotFoundError(f"the job `{job_id}` was removed", hint="see what there is: rota list")
    rest = at_rest(record)
    if rest is not None:
        way = f"rota resume {job_id}" if rest.code == "paused" else f"rota edit {job_id} --set enabled=true"
        raise ConflictError(f"`{job_id}` is {rest.code}: its triggers start nothing", hint=way)
    return record


def _check_span(app: App, record: JobRecord, start: Micros, end: Micros, now: Micros) -> None:
    kept = app.config.limits.keep_ledger_days
    if end > now:
        problem = f"{local(end, record.timezone)} is still to come"
        hint = "a backfill is for the past; what is due from now on runs by itself"
    elif start >= end:
        problem = (
            f"there is nothing between {local(start, record.timezone)} and {local(end, record.timezone)}"
        )
        hint = "--from is included, --to is not: --from 2026-11-01 --to 2026-11-08"
    elif start < now - kept * DAY:
        problem = f"the ledger goes back {kept:g} days, and so cannot tell what ran before"
        hint = "begin later, or raise `limits.keep_ledger_days` in rota.yaml"
    else:
        return
    raise RotaError(problem, hint=hint, code="bad_time")


def _missed(gap: Gap, call: Call) -> Missed:
    not_run = None if call.verdict is Outcome.RAN else call.reason.text
    return Missed(gap.due_at, gap.trigger_id, gap.key, gap.before, not_run)


def _said(instant: Micros, record: JobRecord) -> str:
    """An instant as --to takes it."""
    return local_time(instant, record.timezone).isoformat()
