"""The coming load of one job: which of its moments run and when, by its schedules, policies and usual length.

What is seldom is listed moment by moment. What fires very often is counted, by arithmetic and by a
sample, so that a job of every second costs no more than one of every hour.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from heapq import merge
from itertools import islice, pairwise
from math import ceil

from rota.model.instants import Micros, from_micros, to_micros
from rota.model.job import Job, Overlap
from rota.model.run import Reason
from rota.planning.due import jitter_of, next_due, occurrence_key
from rota.planning.gates import Passage, gate_of, passage
from rota.planning.overlap import MAX_QUEUED
from rota.schedule import Gate, Schedule, local_time

# A job that is due more often on some day is told of in one line, not moment by moment.
OFTEN = 6
SAMPLE = 1_000

_OVERLAP = Reason("overlap", "the run before it is usually still active, and overlap is skip")
_WAITING = Reason("waiting", "a run of it is waiting to start already, and overlap is skip")
_REPLACED = Reason("overlap", "ended by the next run: overlap is cancel-running")
_BESIDE = Reason("beside", "beside the run before it")
_BEHIND = Reason("queue", "waits for the run before it")
_FULL = Reason("queue_full", f"{MAX_QUEUED} runs of this job are queued already")
_JITTER = Reason("jitter", "spread by jitter")


@dataclass(frozen=True)
class Expected:
    """A job, the schedules of its time triggers, and how long its runs usually take (None: not known yet)."""

    job: Job
    schedules: tuple[Schedule, ...]
    timezone: str
    usual: Micros | None = None


@dataclass(frozen=True)
class Moment:
    """A coming occurrence. `start` None: it does not run.

    `reason`: why not, or what is not plain about the run (None: it starts when due, alone).
    """

    job_id: str
    due_at: Micros
    start: Micros | None
    end: Micros | None
    reason: Reason | None = None


@dataclass(frozen=True)
class Tally:
    """A job on one day: moments due, runs that start, and their working time.

    By reason code: `skipped`, moments that do not run; `shifted`, runs that start late, end early or
    overlap one another.
    """

    due: int = 0
    runs: int = 0
    work: Micros = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    shifted: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class JobLoad:
    """What a job brings. `days`: a tally of each day. `moments` None: it was counted, not listed.

    `at_once`: how many runs of a counted job are active together. `estimated`: the tallies are about right.
    """

    expected: Expected
    days: tuple[Tally, ...]
    moments: tuple[Moment, ...] | None
    at_once: int = 0
    estimated: bool = False

    @property
    def often(self) -> bool:
        """Whether it is too frequent to be told of moment by moment."""
        return self.moments is None or any(day.due > OFTEN for day in self.days)

    @property
    def total(self) -> Tally:
        """All days together."""
        return add_up(self.days)


def add_up(tallies: Iterable[Tally]) -> Tally:
    """The sum of tallies."""
    due = runs = work = 0
    skipped: Counter[str] = Counter()
    shifted: Counter[str] = Counter()
    for tally in tallies:
        due, runs, work = due + tally.due, runs + tally.runs, work + tally.work
        skipped.update(tally.skipped)
        shifted.update(tally.shifted)
    return Tally(due, runs, work, dict(skipped), dict(shifted))


def coming(expected: Expected, days: Sequence[Micros], most: int) -> JobLoad:
    """The load of a job between the first and the last of `days`, which are where the days begin and the last ends.

    Up to `most` moments are listed; a job with more of them is counted.
    """
    counts = [_count(schedule, days[0], days[-1]) for schedule in expected.schedules]
    if sum(number for number, _ in counts) > most:
        return _counted(expected, days, exact=all(exact for _, exact in counts))
    dues = list(_dues(expected, days[0], days[-1]))
    moments = _admitted(expected, dues, gate_of(expected.job))
    return JobLoad(expected, _tallies(moments, days), tuple(moments))


def _dues(expected: Expected, start: Micros, end: Micros) -> Iterator[Micros]:
    """The due moments in [start, end), in order."""
    return merge(*(_walk(schedule, start, end) for schedule in expected.schedules))


def _walk(schedule: Schedule, start: Micros, end: Micros) -> Iterator[Micros]:
    moment = next_due(schedule, start - 1)
    while moment is not None and moment < end:
        yield moment
        moment = next_due(schedule, moment)


def _count(schedule: Schedule, start: Micros, end: Micros) -> tuple[int, bool]:
    """How many due moments lie in [start, end), and whether that is exact: calendar rules cannot count."""
    if schedule.kind != "rrule":
        return schedule.count(from_micros(start - 1), from_micros(end - 1)), True
    found = list(islice(_walk(schedule, start, end), SAMPLE + 1))
    if len(found) <= SAMPLE:
        return len(found), True
    return round(SAMPLE * (end - start) / (found[-1] - found[0])), False


def _admitted(expected: Expected, dues: Iterable[Micros], gate: Gate | None) -> list[Moment]:
    """What becomes of each due moment, as scheduler and dispatcher would have it."""
    job, length = expected.job, expected.usual or 0
    limit = job.max_active or (None if job.overlap is Overlap.ALLOW else 1)
    gatekeeper = _Gatekeeper(expected, gate) if gate is not None else None
    found: list[Moment] = []
    active: list[int] = []  # places in `found` of the runs that are not over
    for due in dues:
        active = [place for place in active if (found[place].end or 0) > due]
        wait = jitter_of(job.id, occurrence_key(due), job.jitter) if job.jitter else 0
        passed = Passage(due + wait, _JITTER if wait else None)
        if gatekeeper is not None:
            through = gatekeeper.passage(due + wait)
            passed = through if through.reason is not None else passed
        refusal = (
            passed.reason
            if passed.start is None
            else _refusal(job.overlap, due, [found[place] for place in active])
        )
        if refusal is not None or passed.start is None:
            found.append(Moment(job.id, due, None, None, refusal))
            continue
        if job.overlap is Overlap.CANCEL_RUNNING:
            for place in active:
                found[place] = _replaced(found[place], due)
            active = []
        start, reason = passed.start, passed.reason
        if limit is not None and len(active) >= limit:
            free = sorted(found[place].end or 0 for place in active)[-limit]
            start, reason = (free, _BEHIND) if free > start else (start, reason)
        elif active and job.overlap is Overlap.ALLOW:
            reason = reason or _BESIDE
        active.append(len(found))
        found.append(Moment(job.id, due, start, start + length, reason))
    return found


def _refusal(policy: Overlap, due: Micros, active: Sequence[Moment]) -> Reason | None:
    if policy is Overlap.SKIP and active:
        return _WAITING if (active[0].start or due) > due else _OVERLAP
    return _FULL if policy is Overlap.QUEUE and len(active) > MAX_QUEUED else None


def _replaced(moment: Moment, now: Micros) -> Moment:
    """A run that the next one ends, or keeps from starting."""
    if moment.start is not None and moment.start < now:
        return replace(moment, end=now, reason=_REPLACED)
    return replace(moment, start=None, end=None, reason=_REPLACED)


class _Gatekeeper:
    """`passage` for moments in order: while the gate is shut, its next opening is looked for once."""

    def __init__(self, expected: Expected, gate: Gate) -> None:
        self._expected = expected
        self._gate = gate
        self._known: dict[str, Passage] = {}

    def passage(self, start: Micros) -> Passage:
        closed = self._gate.closed_by(start, self._expected.timezone)
        if closed is None:
            return Passage(start)
        known = self._known.get(closed)
        if known is None or (known.start is not None and start >= known.start):
            known = passage(self._expected.job, self._gate, start, self._expected.timezone)
            self._known[closed] = known
        return known


def _tallies(moments: Sequence[Moment], days: Sequence[Micros]) -> tuple[Tally, ...]:
    """Moments by the day on which they are due, runs by the day on which they start."""
    count = len(days) - 1
    due, runs, work = [0] * count, [0] * count, [0] * count
    skipped: list[Counter[str]] = [Counter() for _ in range(count)]
    shifted: list[Counter[str]] = [Counter() for _ in range(count)]
    for moment in moments:
        due[(day := bisect_right(days, moment.due_at) - 1)] += 1
        code = "" if moment.reason is None else moment.reason.code
        if moment.start is None or moment.end is None:
            skipped[day][code] += 1
        elif moment.start < days[-1]:
            day = bisect_right(days, moment.start) - 1
            runs[day] += 1
            work[day] += moment.end - moment.start
            if code:
                shifted[day][code] += 1
    return tuple(map(Tally, due, runs, work, map(dict, skipped), map(dict, shifted)))


def _counted(expected: Expected, days: Sequence[Micros], *, exact: bool) -> JobLoad:
    """The load of a frequent job: its moments are counted, what becomes of them is judged by the first of them."""
    dues = list(islice(_dues(expected, days[0], days[-1]), SAMPLE))
    sample = add_up(_tallies(_admitted(expected, dues, None), (days[0], dues[-1] + days[-1])))
    share, length = sample.runs / len(dues), sample.work / max(1, sample.runs)
    due, runs = [0] * (len(days) - 1), [0] * (len(days) - 1)
    skipped: list[Counter[str]] = [Counter() for _ in due]
    gate = gate_of(expected.job)
    for day, (start, end) in enumerate(pairwise(days)):
        for since, until, shut in _stretches(expected, gate, start, end):
            number = sum(_count(schedule, since, until)[0] for schedule in expected.schedules)
            kept = round(number * share) if shut is None else _held(expected.job, shut, number)
            due[day] += number
            skipped[day].update({_code(shut, sample.skipped): number - kept} if number > kept else {})
            opening = since if shut is None or shut.start is None else shut.start
            if opening < days[-1]:
                runs[bisect_right(days, opening) - 1] += kept
    tallies = (
        Tally(
            d,
            r,
            round(r * length),
            dict(s),
            {code: round(r * n / sample.runs) for code, n in sample.shifted.items()},
        )
        for d, r, s in zip(due, runs, skipped, strict=True)
    )
    estimated = not exact or share < 1 or gate is not None or expected.job.jitter > 0
    gap = (dues[-1] - dues[0]) / max(1, len(dues) - 1)
    return JobLoad(expected, tuple(tallies), None, _at_once(expected.job, length, gap), estimated)


def _code(shut: Passage | None, skipped: Mapping[str, int]) -> str:
    """Why moments of a frequent job do not run, while its gate is open or `shut`."""
    if shut is not None:
        return "window" if shut.start is None else "waiting"
    return max(skipped, key=lambda code: skipped[code], default="overlap")


def _at_once(job: Job, length: float, gap: float) -> int:
    """How many runs of a frequent job are active together."""
    if job.overlap is not Overlap.ALLOW or not gap:
        return 1
    together = max(1, ceil(length / gap))
    return min(together, job.max_active or together)


def _held(job: Job, shut: Passage, number: int) -> int:
    """How many of the moments that come to a shut gate run when it opens."""
    if shut.start is None:
        return 0
    most = {Overlap.ALLOW: number, Overlap.QUEUE: MAX_QUEUED + 1}.get(job.overlap, 1)
    return min(number, most)


def _stretches(
    expected: Expected, gate: Gate | None, start: Micros, end: Micros
) -> Iterator[tuple[Micros, Micros, Passage | None]]:
    """[start, end) in parts in which the gate stays as it is; with what it says where it is shut."""
    if gate is None:
        yield start, end, None
        return
    first, last = local_time(start, expected.timezone), local_time(end, expected.timezone)
    spans = (*gate.window, *gate.not_during)
    clocks = {time(0), *(clock for span in spans for clock in span.edges())}
    edges = {start, end}
    for ahead in range((last.date() - first.date()).days + 1):
        day = first.date() + timedelta(days=ahead)
        edges.update(to_micros(datetime.combine(day, clock, first.tzinfo)) for clock in clocks)
    keeper = _Gatekeeper(expected, gate)
    for since, until in pairwise(sorted(edge for edge in edges if start <= edge <= end)):
        found = keeper.passage(since)
        yield since, until, None if found.reason is None else found
