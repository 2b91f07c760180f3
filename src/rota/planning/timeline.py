"""The coming load of a workspace, day by day: how much, when most at once, and where limits are met."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rota.model.instants import MINUTE, SECOND, Micros
from rota.planning.load import JobLoad, Moment, Tally, add_up

BUSY_MINUTES = 3


@dataclass(frozen=True)
class Peak:
    """The most runs at once: how many there would be were there no limit, and since when. `group` None: of all jobs."""

    at: Micros
    runs: int
    limit: int
    group: str | None = None

    @property
    def beyond(self) -> bool:
        """Whether some of them have to wait for others."""
        return self.runs > self.limit


@dataclass(frozen=True)
class DayLoad:
    """One day. `moments`: those of the jobs that do not fire often, by start. `peak` None: nothing runs.

    `groups`: the peaks of concurrency groups that are beyond their limits. `busy`: the minutes in which
    most runs start (at least two), as (instant, number), most first.
    """

    start: Micros
    end: Micros
    total: Tally
    moments: tuple[Moment, ...]
    peak: Peak | None
    groups: tuple[Peak, ...]
    busy: tuple[tuple[Micros, int], ...]


def timeline(
    loads: Sequence[JobLoad], days: Sequence[Micros], limit: int, group_limits: Mapping[str, int]
) -> tuple[DayLoad, ...]:
    """Put the loads of all jobs together. `limit`: runs at once; `group_limits`: of the settings, over the jobs' own."""
    runs = [moment for load in loads for moment in load.moments or ()]
    standing = [_standing(loads, day) for day in range(len(days) - 1)]
    peaks = _peaks(runs, days, standing, limit)
    groups = [_of_group(name, loads, days, group_limits) for name in sorted(_groups(loads))]
    seldom: list[list[Moment]] = [[] for _ in standing]
    for load in loads:
        for moment in () if load.often else load.moments or ():
            when = moment.due_at if moment.start is None else moment.start
            if when < days[-1]:
                seldom[bisect_right(days, when) - 1].append(moment)
    busy = _busy(runs, days)
    return tuple(
        DayLoad(
            start,
            end,
            add_up(load.days[day] for load in loads),
            tuple(sorted(seldom[day], key=lambda moment: (moment.start or moment.due_at, moment.job_id))),
            peaks[day],
            tuple(peak for found in groups if (peak := found[day]) is not None and peak.beyond),
            busy[day],
        )
        for day, (start, end) in enumerate(pairwise(days))
    )


def _groups(loads: Iterable[JobLoad]) -> set[str]:
    return {
        load.expected.job.concurrency.group for load in loads if load.expected.job.concurrency is not None
    }


def _of_group(
    name: str, loads: Sequence[JobLoad], days: Sequence[Micros], limits: Mapping[str, int]
) -> list[Peak | None]:
    """The peaks of one concurrency group, day by day."""
    shared = [(load, c) for load in loads if (c := load.expected.job.concurrency) and c.group == name]
    members = [load for load, _ in shared]
    limit = limits.get(name, min(concurrency.limit for _, concurrency in shared))
    runs = [moment for load in members for moment in load.moments or ()]
    return _peaks(runs, days, [_standing(members, day) for day in range(len(days) - 1)], limit, name)


def _standing(loads: Iterable[JobLoad], day: int) -> int:
    """Runs of counted jobs, which are taken to be there all day long."""
    return sum(load.at_once for load in loads if load.days[day].runs)


def _peaks(
    runs: Sequence[Moment],
    days: Sequence[Micros],
    standing: Sequence[int],
    limit: int,
    group: str | None = None,
) -> list[Peak | None]:
    """Walk along starts and ends. A run of unknown length counts for a second, so that it is seen."""
    steps: list[tuple[Micros, int]] = []
    for run in runs:
        if run.start is not None and run.end is not None and run.start < days[-1]:
            steps += [(run.start, 1), (max(run.end, run.start + SECOND), -1)]
    most: list[tuple[int, Micros] | None] = [(n, days[day]) if n else None for day, n in enumerate(standing)]
    active = 0
    for at, step in sorted(steps):  # of one instant the ends come first
        active += step
        if step > 0:
            day = bisect_right(days, at) - 1
            known, together = most[day], active + standing[day]
            if known is None or together > known[0]:
                most[day] = (together, at)
    return [None if found is None else Peak(found[1], found[0], limit, group) for found in most]


def _busy(runs: Iterable[Moment], days: Sequence[Micros]) -> list[tuple[tuple[Micros, int], ...]]:
    minutes = Counter(run.start - run.start % MINUTE for run in runs if run.start is not None)
    by_day: list[list[tuple[Micros, int]]] = [[] for _ in range(len(days) - 1)]
    for minute, number in minutes.items():
        day = bisect_right(days, minute) - 1
        if number > 1 and 0 <= day < len(by_day):
            by_day[day].append((minute, number))
    return [tuple(sorted(found, key=lambda one: (-one[1], one[0]))[:BUSY_MINUTES]) for found in by_day]
