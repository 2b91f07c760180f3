"""`rota spend`: what agents took, by job, model, runner or day, and how much of each budget is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from rota.app.times import zoned
from rota.app.wiring import App
from rota.model.agent import NO_TOKENS
from rota.model.budget import NO_BUDGET, Bound, Span
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros, to_micros
from rota.model.job import Job
from rota.model.ledger import JobRecord
from rota.model.spend import SpendSum, Used
from rota.planning.budgets import UNITS, amount, bounds_of, bounds_of_workspace, cap, said
from rota.ports.store import Tx
from rota.spec import from_json

_NOW = {Span.DAY: "today", Span.WEEK: "this week", Span.MONTH: "this month"}


@dataclass(frozen=True)
class BudgetUse:
    """How much of a cap of the calendar is used. `job` None: the workspace's. `unit`: usd, tokens, turns, minutes."""

    job: str | None
    bound: Bound
    unit: str
    used: float
    cap: float

    @property
    def words(self) -> str:
        """'$3.20 of $5.00 today'."""
        of = f"{said(self.unit, self.used).partition(' ')[0]} of {said(self.unit, self.cap)}"
        return f"{of} {_NOW[self.bound.span]}"

    @property
    def up(self) -> bool:
        """Whether it is used up."""
        return self.used >= self.cap


@dataclass(frozen=True)
class SpendView:
    """What was taken since an instant. `total`: all rows together. `budgets`: the workspace's first."""

    by: str
    since: Micros
    timezone: str
    rows: Sequence[SpendSum]
    total: SpendSum
    budgets: Sequence[BudgetUse]


def shown(unit: str, number: float) -> str:
    """An amount in words: '$0.25', '1,200 tokens'."""
    return said(unit, number)


def spend(app: App, *, by: str, days: int) -> SpendView:
    """The last `days` days of the workspace's calendar, today included; `by`: job, model, runner or day."""
    now, config = app.clock.now(), app.config
    since = _midnight(now, config.timezone, days - 1)

    def look(tx: Tx) -> SpendView:
        rows = _by_day(tx, since, config.timezone) if by == "day" else tx.spend.sums(by, since)
        total = _add_up("", rows)
        if by == "model":  # the time at work of clients that named none, say
            rows = [row for row in rows if row.name or row.turns]
        return SpendView(by, since, config.timezone, rows, total, list(_budgets(tx, config, now)))

    return app.store.read(look)


def budgets(app: App) -> list[BudgetUse]:
    """How much of the workspace's own budgets is used."""
    return app.store.read(lambda tx: list(_of_workspace(tx, app.config, app.clock.now())))


def budgets_of(app: App, record: JobRecord) -> list[BudgetUse]:
    """How much of a job's own budgets is used."""
    job = from_json(record.definition)
    return app.store.read(lambda tx: list(_of_job(tx, job, app.config, app.clock.now())))


def caps_of_a_run(record: JobRecord) -> str:
    """The caps of a single run of the job, in words; empty where there are none."""
    caps = from_json(record.definition).budget.run
    return ", ".join(said(unit, most) for unit in UNITS if (most := cap(caps, unit)) is not None)


def _budgets(tx: Tx, config: WorkspaceConfig, now: Micros) -> Iterator[BudgetUse]:
    yield from _of_workspace(tx, config, now)
    for record in tx.jobs.all():
        if '"budget"' in record.definition:  # to read a definition takes long, and few have one
            yield from _of_job(tx, from_json(record.definition), config, now)


def _of_workspace(tx: Tx, config: WorkspaceConfig, now: Micros) -> Iterator[BudgetUse]:
    for bound in bounds_of_workspace(config, now):
        yield from _uses(bound, tx.spend.used(bound, job_id=""), None)


def _of_job(tx: Tx, job: Job, config: WorkspaceConfig, now: Micros) -> Iterator[BudgetUse]:
    for bound in bounds_of(job, replace(config, budget=NO_BUDGET), now):
        yield from _uses(bound, tx.spend.used(bound, job_id=job.id), job.id)


def _uses(bound: Bound, used: Used, job: str | None) -> Iterator[BudgetUse]:
    if bound.span is Span.RUN:
        return
    for unit in UNITS:
        most = cap(bound.caps, unit)
        if most is not None:
            yield BudgetUse(job, bound, unit, amount(used, unit), most)


def _by_day(tx: Tx, since: Micros, timezone: str) -> list[SpendSum]:
    """By the day of the zone, the latest first."""
    days: dict[str, list[SpendSum]] = {}
    for start, found in tx.spend.quarters(since):
        days.setdefault(zoned(start, timezone).date().isoformat(), []).append(found)
    return [_add_up(day, rows) for day, rows in sorted(days.items(), reverse=True)]


def _add_up(name: str, rows: Sequence[SpendSum]) -> SpendSum:
    told = [row.client_usd for row in rows if row.client_usd is not None]
    return SpendSum(
        name,
        sum((row.usage for row in rows), NO_TOKENS),
        sum(row.usd for row in rows),
        sum(told) if told else None,
        sum(row.turns for row in rows),
        sum(row.worked for row in rows),
        sum(row.unpriced for row in rows),
    )


def _midnight(now: Micros, timezone: str, back: int) -> Micros:
    today = zoned(now, timezone)
    return to_micros(datetime.combine(today.date() - timedelta(days=back), time(0), today.tzinfo))
