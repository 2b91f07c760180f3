"""The scheduler: notices what is due, and writes ledger, run and next due time in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog

from rota.engine.conditions import screened
from rota.engine.definitions import Definitions, schedule_of
from rota.engine.queueing import Call, queue
from rota.model.errors import StoreError
from rota.model.instants import MINUTE, SECOND, Micros
from rota.model.job import CatchUpMode, Job, Overlap
from rota.model.ledger import TriggerRecord
from rota.model.run import Reason
from rota.planning.due import Plan, jitter_of, next_due, plan
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.store import Store, Tx

BATCH = 200
# A clock that is corrected by less than this is not set back.
BACK: Micros = MINUTE
log = structlog.get_logger("rota.scheduler")


@dataclass(frozen=True)
class _Due:
    """A due trigger, and the calls that were decided on outside the transaction."""

    trigger: TriggerRecord
    definition: str
    plan: Plan
    calls: tuple[Call, ...]


class Scheduler:
    """One pass at a time; safe beside others on the same store, since every move is compare-and-set."""

    def __init__(self, store: Store, clock: Clock, definitions: Definitions) -> None:
        self._store = store
        self._clock = clock
        self._definitions = definitions
        self._latest: Micros | None = None

    async def run_once(self) -> Micros | None:
        """Handle everything due now; when to look again (None: nothing is scheduled)."""
        await self._mind_the_clock()
        while True:
            now = self._clock.now()
            triggers = self._store.read(lambda tx: tx.triggers.due(now, BATCH))  # noqa: B023 # called at once
            if not triggers:
                return self._store.read(lambda tx: tx.triggers.next_due())
            due: list[_Due] = []
            stuck: list[TriggerRecord] = []
            for trigger in triggers:
                decided = self._decide(trigger, now)
                if decided is None:
                    stuck.append(trigger)
                else:
                    due.append(decided)
                await asyncio.sleep(0)  # a year of missed minutes takes a while to list
            crash_point("scheduler.before_write")
            await self._record(due, stuck, now)
            crash_point("scheduler.after_write")

    async def _mind_the_clock(self) -> None:
        """When the wall clock was set back, triggers that ran ahead of it come back to now.

        What was recorded stays: a moment whose key is in the ledger does not run again.
        """
        now, latest = self._clock.now(), self._latest
        if latest is None:  # the first look: how far had whoever looked before come?
            lives = self._store.read(lambda tx: tx.daemons.recent(2))
            latest = max((life.seen_at for life in lives), default=now)
        self._latest = now
        if now > latest - BACK:
            return
        ahead = [t for t in self._store.read(lambda tx: tx.triggers.all()) if t.since > now + BACK]
        log.warning("clock_set_back", by_seconds=(latest - now) // SECOND, triggers=len(ahead))
        for trigger in ahead:
            try:
                again = next_due(schedule_of(trigger), now)
            except Exception:  # one bad trigger must not end the loop
                log.exception("trigger_failed", job=trigger.job_id, trigger=trigger.trigger_id)
                continue
            await self._store.write(partial(_rewind, trigger=trigger, since=now, next_due=again))

    async def _record(self, due: Sequence[_Due], stuck: Sequence[TriggerRecord], now: Micros) -> None:
        """Write what was decided, all in one commit; where one item cannot be written, the others are."""
        try:
            await self._store.write(partial(_apply, due=due, stuck=stuck, now=now))
        except Exception as error:
            if len(due) + len(stuck) == 1 and not isinstance(error, StoreError):
                log.exception("trigger_not_recorded", trigger=(due[0].trigger if due else stuck[0]))
                if due:
                    await self._store.write(partial(_apply, due=(), stuck=[due[0].trigger], now=now))
                return
            if len(due) + len(stuck) <= 1 or isinstance(error, StoreError):
                raise
            for item in due:
                await self._record([item], (), now)
            for trigger in stuck:
                await self._record((), [trigger], now)

    async def daemon_started(self, daemon_id: str) -> None:
        """Call the jobs with an `@reboot` trigger, once in this daemon's life."""
        now = self._clock.now()
        for record in self._store.read(lambda tx: tx.jobs.all()):
            if not record.enabled or record.paused_at is not None:
                continue
            try:
                job = self._definitions.get(record.hash)
            except Exception:  # one bad definition must not keep the daemon from starting
                log.exception("definition_failed", job=record.id)
                continue
            for trigger in job.triggers:
                if trigger.kind == "reboot":
                    reason = Reason("daemon_start", "the daemon started")
                    call = Call(job, record.hash, trigger.id, now, reason, key=daemon_id)
                    call = self._screened(call, record.timezone, now)
                    await self._store.write(partial(queue, call=call, now=now))

    def _decide(self, trigger: TriggerRecord, now: Micros) -> _Due | None:
        """Everything that can raise or take time, so that the transaction only writes."""
        try:
            record = self._store.read(lambda tx: tx.jobs.get(trigger.job_id))
            if record is None:
                return None
            job = self._definitions.get(record.hash)
            planned = plan(trigger, schedule_of(trigger), job.catch_up, now)
            return _Due(trigger, record.hash, planned, self._calls(trigger, record.hash, job, planned, now))
        except Exception as error:  # one bad trigger must not end the loop
            log.exception("trigger_failed", job=trigger.job_id, trigger=trigger.trigger_id, error=str(error))
            return None

    def _calls(
        self, trigger: TriggerRecord, definition: str, job: Job, planned: Plan, now: Micros
    ) -> tuple[Call, ...]:
        if job.catch_up.mode is CatchUpMode.ALL and job.overlap is Overlap.SKIP and len(planned.rows) > 1:
            # `all` asks for each of them; one after the other, since they are not to overlap.
            job = replace(job, overlap=Overlap.QUEUE)
        calls = (
            Call(
                job=job,
                definition=definition,
                trigger_id=trigger.trigger_id,
                due_at=row.due_at,
                reason=row.reason,
                key=row.key,
                verdict=row.outcome,
                wait=jitter_of(job.id, row.key, job.jitter),
                until=row.until,
                count=row.count,
            )
            for row in planned.rows
        )
        return tuple(self._screened(call, trigger.timezone, now) for call in calls)

    def _screened(self, call: Call, timezone: str, now: Micros) -> Call:
        return self._store.read(lambda tx: screened(tx, call, timezone, now))


def _rewind(tx: Tx, trigger: TriggerRecord, since: Micros, next_due: Micros | None) -> None:
    tx.triggers.advance(trigger, since=since, next_due=next_due)


def _apply(tx: Tx, due: Sequence[_Due], stuck: Sequence[TriggerRecord], now: Micros) -> None:
    for item in due:
        record = tx.jobs.get(item.trigger.job_id)
        if record is None or record.status == "removed" or record.paused_at is not None or not record.enabled:
            continue  # it was put to rest since the decision
        if record.hash != item.definition:
            continue  # it was changed: the next look decides by what it says now
        if tx.triggers.advance(item.trigger, since=item.plan.since, next_due=item.plan.next_due):
            for call in item.calls:
                queue(tx, call, now)
    for trigger in stuck:  # not tried again before its job changes; the job says so
        if tx.triggers.advance(trigger, since=trigger.since, next_due=None):
            words = f"trigger `{trigger.trigger_id}` could not be computed; see .rota/logs/daemon.log"
            tx.jobs.set_error(trigger.job_id, words, now)
