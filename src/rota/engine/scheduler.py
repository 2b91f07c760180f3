"""The scheduler: notices what is due, and writes ledger, run and next due time in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import structlog

from rota.engine.boot import at_boot
from rota.engine.conditions import screened, through_gates
from rota.engine.definitions import Definitions, schedule_of
from rota.engine.overspend import within_budget
from rota.engine.queueing import JITTER, SPREAD, Call, at_rest, queue, queue_all
from rota.engine.wallclock import WallWatch
from rota.engine.work import Claimed
from rota.model.config import WorkspaceConfig
from rota.model.errors import StoreError
from rota.model.instants import MINUTE, SECOND, Micros, age
from rota.model.job import CatchUpMode, Job, Overlap
from rota.model.ledger import JobRecord, Outcome, TriggerRecord
from rota.model.run import Reason, Run
from rota.planning.budgets import costs
from rota.planning.due import GRACE, Plan, jitter_of, next_due, plan, spread
from rota.ports.bulk import Advance
from rota.ports.clock import Clock, seconds_until
from rota.ports.crash import crash_point
from rota.ports.store import Store, Tx

BATCH = 200
TURN = 0.002  # seconds that deciding may take before others get their turn
# How long before it is due a moment is written down, so that its run can start at the instant itself: deciding and
# the commit take 2 to 3 ms, which was most of a run's lateness. A crash in between leaves a claimed run, as ever.
AHEAD: Micros = 5_000
# And so much longer for each further moment of the same instant; for so many of them at most.
EACH: Micros = 300
CROWD = 1000
# A clock that is corrected by less than this is neither set back nor forward.
SET: Micros = MINUTE
log = structlog.get_logger("rota.scheduler")


@dataclass(frozen=True)
class _Due:
    """A due trigger, and the calls that were decided on outside the transaction."""

    trigger: TriggerRecord
    definition: str
    plan: Plan
    calls: tuple[Call, ...]


class Starter(Protocol):
    """Who claims and starts runs."""

    @property
    def room(self) -> int:
        """How many more could be claimed now."""
        ...

    def claim_new(self, tx: Tx, runs: Sequence[Run], now: Micros) -> Claimed:
        """Claim what may start of runs that are queued in this transaction: one commit and one wait fewer."""
        ...

    def start(self, claimed: Claimed) -> None:
        """Have them worked on."""
        ...


class Scheduler:
    """One pass at a time; safe beside others on the same store, since every move is compare-and-set.

    `ahead`: how long before it is due a moment may be written down; its run starts when it is due.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        definitions: Definitions,
        *,
        workspace: Callable[[], Mapping[str, str]],
        config: Callable[[], WorkspaceConfig] = WorkspaceConfig,
    ) -> None:
        self._store = store
        self._clock = clock
        self._definitions = definitions
        self._workspace = workspace
        self._config = config
        self._latest: Micros | None = None
        self._spread = False
        self._late = 0  # runs of this pass that are late
        self._written: list[
            Claimed
        ] = []  # what was claimed for an instant that is yet to come, and this is it:
        self._instant: Micros = 0
        self._wall = WallWatch(clock)
        self.starter: Starter | None = None
        self.ahead: Micros = 0
        self._never = asyncio.Event()
        # Since the last whole pass: how far the wall clock went ahead of time, what ailed the state.
        self._leap: Micros = 0
        self._ailment: str | None = None

    async def run_once(self, *, spread: bool = False) -> Micros | None:
        """Handle everything due now; when to look again (None: nothing is scheduled).

        `spread`: what is late does not start all at once.
        """
        self._spread, self._late = spread, 0
        try:
            await self._mind_the_clock()
            wake_at = await self._handle_due()
        except Exception as error:
            await self._start_written()
            if isinstance(error, StoreError):
                self._ailment = str(error)
            raise
        self._leap, self._ailment = 0, None
        return wake_at

    async def _handle_due(self) -> Micros | None:
        while True:
            triggers, now = self._next_due()
            if self._written and not (triggers and now == self._instant):
                await self._start_written()
                continue
            if not triggers:
                return self._store.read(lambda tx: tx.triggers.next_due())
            ids = {trigger.job_id for trigger in triggers}
            records = self._store.read(lambda tx: tx.jobs.get_many(ids))  # noqa: B023 # called at once
            due: list[_Due] = []
            stuck: list[TriggerRecord] = []
            rested = self._clock.monotonic()
            for trigger in triggers:
                decided = self._decide(trigger, records.get(trigger.job_id), now)
                if decided is None:
                    stuck.append(trigger)
                else:
                    due.append(decided)
                if self._clock.monotonic() - rested > TURN:  # a year of missed minutes takes a while to list
                    await asyncio.sleep(0)
                    rested = self._clock.monotonic()
            crash_point("scheduler.before_write")
            await self._record(due, stuck, now)
            crash_point("scheduler.after_write")

    def _next_due(self) -> tuple[list[TriggerRecord], Micros]:
        """What is due, and now; else what is due at the next instant, if that is near, and that instant."""
        now = self._clock.now()
        longest = self.ahead + CROWD * EACH if self.ahead else 0
        near = self._store.read(lambda tx: tx.triggers.due(now + longest, CROWD))
        due = [trigger for trigger in near if trigger.next_due is None or trigger.next_due <= now]
        if due or not near:
            return due[:BATCH], now
        instant = near[0].next_due or now
        upcoming = [trigger for trigger in near if trigger.next_due == instant]
        if instant - now > self.ahead:
            upcoming = self._at_rest(upcoming)
        begun = bool(self._written) and instant == self._instant
        if not upcoming or (not begun and instant - now > self._lead(len(upcoming))):
            return [], now
        return upcoming[: min(BATCH, self._room())], instant

    def wake_before(self, due: Micros) -> Micros:
        """When to begin with what is due at that instant: the more that is, the longer it takes to write it down."""
        if not self.ahead:
            return due
        upcoming = self._store.read(lambda tx: tx.triggers.due(due, CROWD))
        return due - self._lead(1 if len(upcoming) <= 1 else max(1, len(self._at_rest(upcoming))))

    def _at_rest(self, triggers: list[TriggerRecord]) -> list[TriggerRecord]:
        """Those whose jobs have no run now: of others, one that ends in time would be taken to be in the way."""
        busy = self._store.read(lambda tx: tx.bulk.busy(sorted({trigger.job_id for trigger in triggers})))
        return [trigger for trigger in triggers if trigger.job_id not in busy]

    def _lead(self, count: int) -> Micros:
        """How long before their instant to begin with so many moments: none where no run would find a place."""
        room = min(count, self._room())
        return self.ahead + (room - 1) * EACH if room > 0 and self.ahead else 0

    def _room(self) -> int:
        return CROWD if self.starter is None else self.starter.room

    async def _start_written(self) -> None:
        """At their instant, start the runs that were written down before it."""
        written, self._written = self._written, []
        if written and (early := seconds_until(self._instant, self._clock.now())) > 0:
            await self._clock.sleep(early, self._never, exactly=True)
        for claimed in written:
            if self.starter is not None:
                self.starter.start(claimed)

    async def _mind_the_clock(self) -> None:
        """When the wall clock was set back, triggers that ran ahead of it come back to now.

        What was recorded stays: a moment whose key is in the ledger does not run again.
        """
        self._leap += self._wall.strayed()
        if self._leap > SET:
            log.warning("clock_went_ahead", by_seconds=self._leap // SECOND)
        now, latest = self._clock.now(), self._latest
        if latest is None:  # the first look: how far had those come who looked before?
            latest = self._store.read(_last_sign) or now
        if now > latest - SET:
            self._latest = now
            return
        ahead = self._store.read(lambda tx: tx.triggers.ahead_of(now + SET))
        log.warning("clock_set_back", by_seconds=(latest - now) // SECOND, triggers=len(ahead))
        for trigger in ahead:
            try:
                again = next_due(schedule_of(trigger), now)
            except Exception:  # one bad trigger must not end the loop
                log.exception("trigger_failed", job=trigger.job_id, trigger=trigger.trigger_id)
                continue
            await self._store.write(partial(_rewind, trigger=trigger, since=now, next_due=again))
            crash_point("scheduler.rewound")
        self._latest = now  # not before all are back: a write that fails is tried again

    async def _record(self, due: Sequence[_Due], stuck: Sequence[TriggerRecord], now: Micros) -> None:
        """Write what was decided, all in one commit; where one item cannot be written, the others are."""
        try:
            claimed = await self._store.write(partial(self._apply, due=due, stuck=stuck, now=now))
            self._written.append(claimed)
            self._instant = now
            if now <= self._clock.now():
                await self._start_written()
        except Exception as error:
            if len(due) + len(stuck) == 1 and not isinstance(error, StoreError):
                log.exception("trigger_not_recorded", trigger=(due[0].trigger if due else stuck[0]))
                if due:
                    await self._store.write(partial(self._apply, due=(), stuck=[due[0].trigger], now=now))
                return
            if len(due) + len(stuck) <= 1 or isinstance(error, StoreError):
                raise
            for item in due:
                await self._record([item], (), now)
            for trigger in stuck:
                await self._record((), [trigger], now)

    def _apply(self, tx: Tx, due: Sequence[_Due], stuck: Sequence[TriggerRecord], now: Micros) -> Claimed:
        """Write it; the runs that could be claimed in the same transaction."""
        calls: list[Call] = []
        for item in self._advanced(tx, due):
            if len(item.calls) == 1:
                calls += item.calls
                continue
            for place, call in enumerate(item.calls):
                queue(tx, call, now + place)  # a microsecond apart, so that they start in this order
        runs = queue_all(tx, calls, now)
        for trigger in stuck:  # not tried again before its job changes; the job says so
            if tx.triggers.advance(trigger, since=trigger.since, next_due=None):
                words = f"trigger `{trigger.trigger_id}` could not be computed; see .rota/logs/daemon.log"
                tx.jobs.set_error(trigger.job_id, words, now)
        return Claimed() if self.starter is None or not runs else self.starter.claim_new(tx, runs, now)

    def _advanced(self, tx: Tx, due: Sequence[_Due]) -> list[_Due]:
        """Move the triggers on; those that moved, and whose jobs are what they were at the decision."""
        records = tx.jobs.get_many({item.trigger.job_id for item in due}) if due else {}
        unchanged: list[_Due] = []
        for item in due:
            record = records.get(item.trigger.job_id)
            if record is None or record.status == "removed" or at_rest(record) is not None:
                continue  # it was put to rest since the decision
            if (
                record.hash == item.definition
            ):  # else it was changed: the next look decides by what it says now
                unchanged.append(item)
        moves = [Advance(item.trigger, item.plan.since, item.plan.next_due) for item in unchanged]
        moved = tx.bulk.advance(moves) if moves else ()
        return [item for item in unchanged if (item.trigger.job_id, item.trigger.trigger_id) in moved]

    async def daemon_started(self, daemon_id: str) -> None:
        """Call the jobs with an `@reboot` trigger, once in this daemon's life."""
        now = self._clock.now()
        for record in await at_boot(self._store, now):
            try:
                job = self._definitions.get(record.hash)
            except Exception:  # one bad definition must not keep the daemon from starting
                log.exception("definition_failed", job=record.id)
                continue
            for trigger in job.triggers:
                if trigger.kind == "reboot":
                    reason = Reason("daemon_start", "the daemon started")
                    call = Call(job, record.hash, trigger.id, now, reason, key=daemon_id)
                    why_not = at_rest(record)
                    if why_not is None:
                        call = self._screened(call, record.timezone, now)
                    else:
                        call = replace(call, verdict=Outcome.SKIPPED, reason=why_not)
                    await self._store.write(partial(queue, call=call, now=now))
                    crash_point("scheduler.start_called")

    def _cause(self) -> Reason | None:
        """Why moments are late that come to light now; None: nobody was looking, or nothing out of the ordinary."""
        if self._leap > SET:
            words = f"the clock went {age(self._leap + 5 * SECOND)} ahead at once (it was set, or the machine slept)"
            return Reason("clock_ahead", words)
        return None if self._ailment is None else Reason("state_failed", self._ailment)

    def _decide(self, trigger: TriggerRecord, record: JobRecord | None, now: Micros) -> _Due | None:
        """Everything that can raise or take time, so that the transaction only writes."""
        if record is None:
            return None
        try:
            job = self._definitions.of_record(record)
            planned = plan(trigger, schedule_of(trigger), job.catch_up, now, self._cause())
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
        calls: list[Call] = []
        # All of them where one is late: what is due now does not overtake what its own job has to make up for.
        late = any(row.outcome is Outcome.RAN and now - row.due_at > GRACE for row in planned.rows)
        for row in planned.rows:
            jitter = jitter_of(job.id, row.key, job.jitter)
            share = spread(self._late) if late and self._spread else 0
            call = Call(
                job=job,
                definition=definition,
                trigger_id=trigger.trigger_id,
                due_at=row.due_at,
                reason=row.reason,
                key=row.key,
                verdict=row.outcome,
                wait=max(jitter, share),
                wait_reason=SPREAD if share > jitter else JITTER,
                until=row.until,
                count=row.count,
                behind=late,
            )
            calls.append(self._screened(call, trigger.timezone, now))
            self._late += late and calls[-1].verdict is Outcome.RAN
        return tuple(calls)

    def _screened(self, call: Call, timezone: str, now: Micros) -> Call:
        if call.job.condition is None:
            call = through_gates(call, timezone, now)
        else:
            call = self._store.read(lambda tx: screened(tx, call, timezone, now, self._workspace()))
        config = self._config()
        if not costs(call.job, config):
            return call
        return self._store.read(lambda tx: within_budget(tx, call, config, now))


def _last_sign(tx: Tx) -> Micros | None:
    """The latest moment of which the state knows that somebody was there: at most a minute from the truth.

    Several lives: the latest one may have died while it set right what an earlier one had done ahead of time.
    """
    lives = [life.seen_at for life in tx.daemons.recent(50)]
    return max((instant for instant in (*lives, tx.events.latest_at()) if instant is not None), default=None)


def _rewind(tx: Tx, trigger: TriggerRecord, since: Micros, next_due: Micros | None) -> None:
    tx.triggers.advance(trigger, since=since, next_due=next_due)
