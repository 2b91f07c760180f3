"""What the coming load would cost, by what the runs of each job usually take, and which budgets it would use up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rota.engine.overspend import RUNS
from rota.model.budget import Bound, Scope, Span
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.spend import Used
from rota.planning.budgets import (
    UNITS,
    amount,
    bounds_of,
    bounds_of_workspace,
    cap,
    costs,
    edges,
    said,
    title,
    usual,
)
from rota.planning.load import JobLoad
from rota.ports.store import Tx

# Of a job that is counted rather than listed, the runs of a day stand in so many heaps.
HEAPS = 24


@dataclass(frozen=True)
class Hit:
    """A budget that would be used up. `job` None: the workspace's."""

    job: str | None
    bound: Bound
    unit: str
    at: Micros

    @property
    def words(self) -> str:
        """Whose, and how much."""
        return f"{title(self.bound)}, {said(self.unit, cap(self.bound.caps, self.unit) or 0)}"


@dataclass(frozen=True)
class Forecast:
    """`usual`: what a run takes, by job; `total`: what the coming ones would. `unknown`: jobs that have not asked an agent yet."""

    usual: Mapping[str, Used] = field(default_factory=dict)
    total: Mapping[str, Used] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    hits: tuple[Hit, ...] = ()

    @property
    def usd(self) -> float:
        """All jobs together."""
        return sum(used.usd for used in self.total.values())


NOTHING_ASKED = Forecast()


@dataclass(frozen=True)
class _Heap:
    """So many runs of a job at an instant."""

    at: Micros
    job: str
    runs: float


def forecast(
    tx: Tx, loads: Sequence[JobLoad], days: Sequence[Micros], config: WorkspaceConfig, now: Micros
) -> Forecast:
    """The forecast for loads between the first and the last of `days`."""
    asking = [load for load in loads if costs(load.expected.job, config)]
    known: dict[str, Used] = {}
    for load in asking:
        found = usual(tx.spend.usual_of_runs(load.expected.job.id, RUNS))
        if found is not None:
            known[load.expected.job.id] = found
    heaps = sorted(
        (heap for load in asking if load.expected.job.id in known for heap in _heaps(load, days)),
        key=lambda heap: heap.at,
    )
    hits = list(_hits(tx, None, bounds_of_workspace(config, now), heaps, known))
    for load in asking:
        job = load.expected.job
        own = [bound for bound in bounds_of(job, config, now) if bound.scope is Scope.JOB]
        hits += _hits(tx, job.id, own, [heap for heap in heaps if heap.job == job.id], known)
    return Forecast(
        usual=known,
        total={
            load.expected.job.id: _times(known[load.expected.job.id], load.total.runs)
            for load in asking
            if load.expected.job.id in known
        },
        unknown=tuple(load.expected.job.id for load in asking if load.expected.job.id not in known),
        hits=tuple(sorted(hits, key=lambda hit: hit.at)),
    )


def _heaps(load: JobLoad, days: Sequence[Micros]) -> Iterator[_Heap]:
    job = load.expected.job.id
    if load.moments is not None:
        for moment in load.moments:
            if moment.start is not None and moment.start < days[-1]:
                yield _Heap(moment.start, job, 1)
        return
    for tally, (start, end) in zip(load.days, pairwise(days), strict=True):
        for part in range(HEAPS):
            yield _Heap(start + (end - start) * part // HEAPS, job, tally.runs / HEAPS)


def _hits(
    tx: Tx, job: str | None, bounds: Sequence[Bound], heaps: Sequence[_Heap], known: Mapping[str, Used]
) -> Iterator[Hit]:
    """The first time that each cap of the calendar would be reached."""
    for bound in bounds:
        if bound.span is Span.RUN:
            continue
        before = tx.spend.used(bound, job_id=job or "")
        for unit in UNITS:
            most = cap(bound.caps, unit)
            if most is None:
                continue
            ahead = [(heap.at, amount(known[heap.job], unit) * heap.runs) for heap in heaps]
            at = _reached(bound, most, ahead, amount(before, unit))
            if at is not None:
                yield Hit(job, bound, unit, at)


def _reached(
    bound: Bound, most: float, ahead: Sequence[tuple[Micros, float]], before: float
) -> Micros | None:
    """When so much is taken within one span; `before`: what is taken already of the present one."""
    start, end, taken = bound.start, bound.end or 0, before
    for at, more in ahead:
        if not start <= at < end:
            (start, end), taken = edges(bound.span, at, bound.timezone), 0.0
        taken += more
        if taken >= most:
            return at
    return None


def _times(used: Used, number: float) -> Used:
    return Used(
        used.usd * number,
        round(used.tokens * number),
        round(used.turns * number),
        round(used.worked * number),
    )
