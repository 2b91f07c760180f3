"""What a time trigger calls for now: which of its due moments run, and which are only recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from rota.model.instants import MINUTE, SECOND, Micros, age, from_micros, micros, to_micros
from rota.model.job import CatchUp, CatchUpMode
from rota.model.ledger import Outcome, TriggerRecord
from rota.model.run import Reason
from rota.schedule import Schedule

# Up to this age an occurrence is simply on time: the machine was busy, not asleep.
GRACE: Micros = MINUTE
# Individual ledger rows (and runs, where `catch_up` is all) for at most this many moments of one trigger at
# once; older ones share a row.
MAX_ROWS = 100
MAX_COUNTED = 2_000
# Late runs of one pass start so far apart, and none of them later than that.
SPREAD_STEP: Micros = SECOND // 4
MAX_SPREAD: Micros = MINUTE


@dataclass(frozen=True)
class Planned:
    """One ledger row to be. `outcome` RAN: a run is to be queued (unless overlap or a condition says no)."""

    key: str
    due_at: Micros
    outcome: Outcome
    reason: Reason
    until: Micros | None = None
    count: int = 1


@dataclass(frozen=True)
class Plan:
    """Ledger rows, oldest first, and where the trigger moves to."""

    rows: tuple[Planned, ...]
    since: Micros
    next_due: Micros | None


def occurrence_key(due_at: Micros) -> str:
    """The key of a scheduled moment: the instant itself, so that no clock or restart makes a second one."""
    return from_micros(due_at).strftime("%Y-%m-%dT%H:%M:%S.%fZ").replace(".000000Z", "Z")


def next_due(schedule: Schedule, after: Micros) -> Micros | None:
    """The first due instant strictly after `after`."""
    moment = schedule.next(from_micros(after))
    return None if moment is None else to_micros(moment)


def plan(
    trigger: TriggerRecord, schedule: Schedule, catch_up: CatchUp, now: Micros, cause: Reason | None = None
) -> Plan:
    """Decide about every moment of `trigger` in [next_due, now].

    `cause`: what kept a scheduler that was running from noticing them in time.
    """
    if trigger.next_due is None or trigger.next_due > now:
        return Plan((), trigger.since, trigger.next_due)
    older, recent = _moments(schedule, trigger.next_due, now)
    rows: list[Planned] = []
    if older is not None:
        first, last, count = older
        rows.append(
            Planned(
                key=f"{occurrence_key(first)}..{occurrence_key(last)}",
                due_at=first,
                until=last,
                count=count,
                outcome=Outcome.MISSED,
                reason=_too_old_to_list(catch_up, cause),
            )
        )
    chosen = _chosen(recent, catch_up, now)
    rows.extend(_row(moment, moment in chosen, catch_up, now, cause) for moment in recent)
    return Plan(tuple(rows), now, next_due(schedule, now))


def stretch(
    trigger: TriggerRecord, schedule: Schedule, now: Micros, outcome: Outcome, reason: Reason
) -> Plan:
    """Record every moment in [next_due, now] as one row that did not run (a pause, an edit)."""
    if trigger.next_due is None or trigger.next_due > now:
        return Plan((), trigger.since, trigger.next_due)
    first = trigger.next_due
    moments = list(_walk(schedule, first, now, limit=MAX_COUNTED))
    complete = len(moments) < MAX_COUNTED
    last = moments[-1] if complete else now
    one = len(moments) == 1
    row = Planned(
        key=occurrence_key(first) if one else f"{occurrence_key(first)}..{occurrence_key(last)}",
        due_at=first,
        outcome=outcome,
        reason=reason,
        until=None if one else last,
        count=len(moments) if complete else 0,
    )
    return Plan((row,), now, next_due(schedule, now))


def _chosen(moments: list[Micros], catch_up: CatchUp, now: Micros) -> frozenset[Micros]:
    """The moments that run: those on time always, late ones as the policy says."""
    oldest = now - micros(catch_up.within) if catch_up.within is not None else None
    late = [m for m in moments if now - m > GRACE and (oldest is None or m >= oldest)]
    prompt = [m for m in moments if now - m <= GRACE]
    if catch_up.mode is CatchUpMode.ALL:
        return frozenset(late + prompt)
    if catch_up.mode is CatchUpMode.LATEST:
        return frozenset((prompt or late)[-1:])
    return frozenset(prompt[-1:])


def _too_old_to_list(catch_up: CatchUp, cause: Reason | None) -> Reason:
    if catch_up.mode is CatchUpMode.ALL:
        words = f"more than {MAX_ROWS} occurrences were waiting{_since(cause)}; the latest are made up for"
        return Reason("too_many", words)
    return cause or Reason("not_running", "nothing was running rota at the time")


def _since(cause: Reason | None) -> str:
    return "" if cause is None else f", since {cause.text}"


def _row(moment: Micros, runs: bool, catch_up: CatchUp, now: Micros, cause: Reason | None) -> Planned:
    key = occurrence_key(moment)
    if runs and now - moment <= GRACE:
        return Planned(key, moment, Outcome.RAN, Reason("on_time", "started when due"))
    if runs:
        return Planned(
            key,
            moment,
            Outcome.RAN,
            Reason("caught_up", f"made up for {age(now - moment)} later{_since(cause)}"),
        )
    if catch_up.mode is CatchUpMode.NONE:
        why = Reason("no_catch_up", f"noticed {age(now - moment)} late{_since(cause)}, and catch_up is none")
    elif catch_up.within is not None and now - moment > micros(catch_up.within):
        why = Reason("too_old", f"noticed {age(now - moment)} late, more than `within` allows{_since(cause)}")
    else:
        why = Reason("superseded", f"a later occurrence was due too, and catch_up is latest{_since(cause)}")
    return Planned(key, moment, Outcome.MISSED, why)


def _moments(
    schedule: Schedule, first: Micros, now: Micros
) -> tuple[tuple[Micros, Micros, int] | None, list[Micros]]:
    """The due moments in [first, now]: the newest MAX_ROWS one by one, and the stretch of older ones.

    The stretch is (first, last, count), count 0 where counting would take too long.
    """
    head: list[Micros] = []
    for moment in _walk(schedule, first, now):
        head.append(moment)
        if len(head) > MAX_ROWS:
            break
    if len(head) <= MAX_ROWS:
        return None, head
    tail = _newest(schedule, first, now)
    older = list(_walk(schedule, first, tail[0] - 1, limit=MAX_COUNTED))
    complete = next_due(schedule, older[-1]) == tail[0]
    last = older[-1] if complete else tail[0] - SECOND
    return (first, last, len(older) if complete else 0), tail


def _walk(schedule: Schedule, first: Micros, until: Micros, limit: int | None = None) -> Iterator[Micros]:
    moment: Micros | None = first
    found = 0
    while moment is not None and moment <= until and (limit is None or found < limit):
        yield moment
        found += 1
        moment = next_due(schedule, moment)


def _newest(schedule: Schedule, first: Micros, now: Micros) -> list[Micros]:
    """The last MAX_ROWS moments up to `now`, found by looking back ever further."""
    span = MINUTE
    while True:
        start = max(first, now - span)
        found = _walk(schedule, next_due(schedule, start - 1) or now + 1, now)
        newest: list[Micros] = []
        for moment in found:
            newest.append(moment)
            if len(newest) > 4 * MAX_ROWS:
                newest = newest[-MAX_ROWS:]
        if len(newest) >= MAX_ROWS or start == first:
            return newest[-MAX_ROWS:]
        span *= 2


def spread(place: int) -> Micros:
    """How long the late run at that place (from 0) of one pass waits, so that a wake from sleep is no stampede."""
    return min(place * SPREAD_STEP, MAX_SPREAD)


def jitter_of(job_id: str, key: str, seconds: float) -> Micros:
    """The delay of one occurrence in [0, seconds): stable, so that a restart does not move it."""
    if seconds <= 0:
        return 0
    share = int.from_bytes(hashlib.sha256(f"{job_id}\0{key}".encode()).digest()[:8]) / 2**64
    return micros(seconds * share)
