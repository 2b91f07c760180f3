"""When a source is polled next: by its rhythm, spread, and ever more seldom while it fails."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from rota.model.instants import DAY, HOUR, MINUTE, SECOND, Micros, age, micros
from rota.model.job import Trigger
from rota.model.looks import ADDED, CHANGED, LookRecord
from rota.planning.due import next_due
from rota.schedule import Schedule

TIMEOUT = 60.0
# People are told after so many failures in a row, or when it has failed for so long.
TELL_AFTER = 3
TELL_AFTER_TIME: Micros = HOUR
_LONGEST_BACKOFF: Micros = HOUR
_LONGEST_ASKED: Micros = DAY
# Polls that are overdue at a start are begun so far apart.
_STEP: Micros = SECOND // 50
_MOST_SPREAD: Micros = MINUTE // 2


@dataclass(frozen=True)
class PollOptions:
    """The keys of a `poll` trigger, understood. `schedule`: a text; `timeout`: seconds."""

    source: str
    schedule: str
    events: frozenset[str]
    batch: bool
    initial: bool
    timeout: float

    @classmethod
    def of(cls, trigger: Trigger) -> PollOptions:
        """Those of a trigger."""
        said = trigger.options
        return cls(
            trigger.text,
            str(said.get("schedule", "every 15m")),
            frozenset(said.get("events", (ADDED, CHANGED))),
            bool(said.get("batch", False)),
            bool(said.get("initial", False)),
            float(said.get("timeout", TIMEOUT)),
        )


def share_of(name: str) -> float:
    """A number in [0, 1) that is always the same for that name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64


def gap_of(schedule: Schedule, after: Micros) -> Micros:
    """The time between two polls, about then."""
    first = next_due(schedule, after)
    second = None if first is None else next_due(schedule, first)
    return DAY if first is None or second is None else second - first


def next_poll(record: LookRecord, schedule: Schedule, now: Micros, *, overdue: int = 1) -> Micros | None:
    """When the source is asked next; None: never any more. `overdue`: how many polls may be due at once.

    By `every`, it counts from the last poll, the first time from less, so that polls that begin together drift
    apart; by `cron`, it is a little after the moment.
    """
    share = share_of(f"{record.job_id}\0{record.trigger_id}")
    soon = now + int(share * min(max(0, overdue - 1) * _STEP, _MOST_SPREAD))
    if record.looked_at is None:
        due: Micros | None = soon
    elif schedule.kind == "every":
        gap = gap_of(schedule, record.looked_at)
        due = record.looked_at + (gap // 2 + int(share * gap / 2) if record.found == FIRST else gap)
    else:
        due = next_due(schedule, record.looked_at)
        if due is not None:
            due += int(share * min(_MOST_SPREAD, gap_of(schedule, due) // 10))
    if due is None:
        return None
    return max(due if due > now else soon, record.not_before or 0)


# What the first poll found, as its record says it.
FIRST = "first"


def backoff(failures: int, gap: Micros, retry_after: float | None) -> Micros:
    """How long to wait after the last of so many failures in a row: the gap, doubled each time, an hour at most.

    Where the gap is longer than an hour it stays the gap. A wait that the source asked for is kept, up to a day.
    """
    longest = max(gap, _LONGEST_BACKOFF)
    wait = min(gap << min(failures - 1, 30), longest)
    return max(wait, min(micros(retry_after or 0.0), _LONGEST_ASKED))


def is_to_be_told(record: LookRecord, now: Micros, *, permanent: bool) -> bool:
    """Whether people are told now that polling fails: once, until it works again."""
    if record.told or record.failing_since is None:
        return False
    lasts = now - record.failing_since
    return permanent or record.failures >= TELL_AFTER or (record.failures > 1 and lasts >= TELL_AFTER_TIME)


def failing_words(record: LookRecord, now: Micros) -> str:
    """That polling fails, in a sentence."""
    times = "once" if record.failures == 1 else f"{record.failures} times in a row"
    lasts = now - (record.failing_since or now)
    since = f", for {age(lasts)}" if lasts >= MINUTE else ""
    return f"`{record.job_id}`: polling {record.text} failed {times}{since}: {record.error}"


def works_again_words(record: LookRecord, now: Micros) -> str:
    """That polling works again."""
    return f"`{record.job_id}`: polling {record.text} works again, after {age(now - (record.failing_since or now))}."
