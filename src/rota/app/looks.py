"""Triggers that look, as a person sees them: at what, when last, what it found, what is wrong, when next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rota.app.times import ago, local, until
from rota.model.instants import Micros
from rota.model.job import Job, Trigger
from rota.model.ledger import JobRecord
from rota.model.looks import LookRecord
from rota.model.run import Reason
from rota.planning.polls import FIRST, PollOptions, next_poll
from rota.ports.store import Tx
from rota.schedule import parse


@dataclass(frozen=True)
class LookView:
    """`what`: the pattern, or the source and how often it is polled. `next`: of a poll that may take place."""

    record: LookRecord
    what: str
    next: Micros | None = None


def said(trigger: Trigger) -> str:
    """A trigger that looks, as a list of jobs shows it."""
    if trigger.kind == "files":
        patterns = [str(pattern) for pattern in trigger.options.get("patterns") or [trigger.text]]
        return f"files {' '.join(patterns)}"
    schedule = PollOptions.of(trigger).schedule
    return f"poll {trigger.text} {schedule}"


def views(records: Iterable[LookRecord], record: JobRecord, job: Job, now: Micros) -> list[LookView]:
    """Those of one job."""
    found = []
    fires = record.enabled and record.paused_at is None and record.removed_at is None
    by_id = {trigger.id: trigger for trigger in job.triggers}
    for look in records:
        trigger = by_id.get(look.trigger_id)
        if trigger is None:
            continue
        coming = None
        if look.kind == "poll" and fires:
            coming = next_poll(look, parse(PollOptions.of(trigger).schedule, record.timezone), now)
        found.append(LookView(look, said(trigger), coming))
    return found


def reasons(tx: Tx, record: JobRecord, job: Job, now: Micros) -> Iterator[Reason]:
    """What `rota why` says of the triggers that look."""
    for view in views(tx.looks.of(record.id), record, job, now):
        if view.record.kind == "files":
            yield Reason("watches", _of_files(tx, view, record, now))
        else:
            yield Reason("polls", _of_poll(view, now))
            if view.record.failures:
                yield Reason("poll_fails", _failing(view.record, record.timezone))


def _of_files(tx: Tx, view: LookView, record: JobRecord, now: Micros) -> str:
    look = view.record
    if not look.fingerprint:
        return f"It watches {view.what}; nobody has looked yet. What came before the job was made starts nothing."
    known = len(tx.looks.seen(look.job_id, look.trigger_id))
    words = f"It watches {view.what}: {known} file{'s' * (known != 1)} known"
    if look.news_at is not None:
        words += (
            f"; last found {ago(look.news_at, now)} ({local(look.news_at, record.timezone)}): {look.found}"
        )
    return words + "."


def _of_poll(view: LookView, now: Micros) -> str:
    look = view.record
    if look.looked_at is None:
        words = f"It has not polled {look.text} yet"
    else:
        found = look.found if look.news_at == look.looked_at else "nothing new"
        if look.found == FIRST:
            found = "what is there already, which starts nothing"
        told = "it failed" if look.failures else found
        words = f"It polled {look.text} {ago(look.looked_at, now)}: {told}"
        if look.news_at is not None and look.news_at != look.looked_at:
            words += f"; news was last {ago(look.news_at, now)}: {look.found}"
    if view.next is not None:
        words += f". Next poll: {until(view.next, now)}"
    return words + "."


def _failing(look: LookRecord, zone: str) -> str:
    times = "once" if look.failures == 1 else f"{look.failures} times in a row"
    since = local(look.failing_since or 0, zone)
    return f"Polling {look.text} failed {times}, since {since}: {look.error}"


def brief_next(view: LookView, now: Micros) -> str:
    """What the list of jobs says instead of a next time."""
    if view.record.failures:
        return f"{view.record.text} fails: {view.record.error}"
    if view.next is not None:
        return f"polls {until(view.next, now)}"
    return "when a file comes" if view.record.kind == "files" else "–"
