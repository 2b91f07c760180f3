"""From what a look found to ledger and runs, in one transaction with what has been seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rota.engine.conditions import screened
from rota.engine.queueing import Call, at_rest, queue_all
from rota.model.instants import Micros
from rota.model.job import Job, Overlap, Trigger
from rota.model.ledger import JobRecord, Outcome
from rota.model.looks import LookRecord, News
from rota.model.message import Message
from rota.model.run import Reason
from rota.planning.overlap import MAX_QUEUED
from rota.ports.store import Store, Tx

# Runs that one look queues at most; what is left comes with the next one.
MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Finding:
    """A call, and what has been seen when it is written. `forget`: items that are gone."""

    call: Call
    see: Mapping[str, str]
    forget: tuple[str, ...] = ()


@dataclass(frozen=True)
class Looked:
    """One look. `record`: the trigger as it is when every finding was written, `short`: when some had no place.

    `quiet`, `gone`: items that are (or are not any more) to be taken as seen without a call. `kept`: values of
    cursors, stored when every finding is written; `anew`: what was seen is in them then, and nowhere else.
    `messages`: what people are told.
    """

    record: LookRecord
    short: LookRecord
    definition: str
    findings: Sequence[Finding] = ()
    quiet: Mapping[str, str] = field(default_factory=dict)
    gone: Sequence[str] = ()
    anew: bool = False
    kept: Mapping[str, Any] = field(default_factory=dict)
    messages: Sequence[Message] = ()


@dataclass(frozen=True)
class Written:
    """What became of a look: the runs that were queued, and how many findings wait for a place.

    `stale`: the job was changed since; nothing is written, and the next look decides by what it says now.
    """

    runs: int = 0
    left: int = 0
    stale: bool = False


@dataclass(frozen=True)
class Watching:
    """A trigger that looks, with the job as it is in force."""

    look: LookRecord
    record: JobRecord
    job: Job
    trigger: Trigger


def call_for(of: Watching, news: News, inputs: Mapping[str, Any], now: Micros, due_at: Micros) -> Call:
    """The call for a run about this. Each of them is wanted, so they queue unless the job itself says otherwise."""
    overlap = Overlap(str(of.trigger.options.get("overlap", of.job.overlap)))
    return Call(
        job=replace(of.job, overlap=overlap),
        definition=of.record.hash,
        trigger_id=of.trigger.id,
        due_at=min(due_at, now),
        reason=Reason(of.trigger.kind, news.words),
        key=news.key,
        inputs=inputs,
    )


def screen(
    store: Store, call: Call, timezone: str, now: Micros, workspace: Callable[[], Mapping[str, str]]
) -> Call:
    """The call as the job's `if:` and windows leave it."""
    return store.read(lambda tx: screened(tx, call, timezone, now, workspace()))


def write_look(tx: Tx, looked: Looked, now: Micros) -> Written:
    """Write what a look found, as far as there is room for its runs."""
    record = tx.jobs.get(looked.record.job_id)
    if record is None or record.removed_at is not None or at_rest(record) is not None:
        return Written(stale=True)
    if record.hash != looked.definition:
        return Written(stale=True)
    room = _room(tx, looked)
    taken, left = looked.findings[:room], len(looked.findings[room:])
    state = looked.short if left else looked.record
    if not tx.looks.save(state):
        return Written(stale=True)
    for message in looked.messages:
        tx.outbox.add(message)
    if not left:
        for name, value in looked.kept.items():
            tx.cursors.put(name, value, now)
    if looked.anew and not left:
        tx.looks.forget(state)
    else:
        _take_as_seen(tx, looked, taken, now)
    runs = queue_all(tx, [finding.call for finding in taken], now)
    return Written(len(runs), left)


def _take_as_seen(tx: Tx, looked: Looked, taken: Sequence[Finding], now: Micros) -> None:
    state = looked.record
    tx.looks.see(state, looked.quiet, now)
    tx.looks.forget(state, looked.gone)
    for finding in taken:
        tx.looks.see(state, finding.see, now)
        tx.looks.forget(state, finding.forget)


def _room(tx: Tx, looked: Looked) -> int:
    """How many findings may be called: as many as the job's queue takes, so that none is turned away."""
    if not looked.findings:
        return 0
    if looked.findings[0].call.job.overlap is not Overlap.QUEUE:
        return MOST_AT_ONCE
    active = len(tx.runs.active(looked.record.job_id))
    room = max(0, MAX_QUEUED - active)
    # What starts no run (its condition is false, say) needs no place.
    count = 0
    for finding in looked.findings[:MOST_AT_ONCE]:
        room -= finding.call.verdict is Outcome.RAN
        if room < 0:
            break
        count += 1
    return count
