"""A job's time triggers in the registry: when each is next due after a job is put, paused or resumed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rota.app.hookindex import names_before, names_of, note_hooks
from rota.engine.boot import note_boot
from rota.engine.chains import note_upstreams, upstreams_of
from rota.engine.definitions import schedule_of
from rota.engine.pausing import count_anew
from rota.engine.queueing import at_rest, cancel_unstarted
from rota.model.errors import ScheduleError
from rota.model.instants import SECOND, Micros, to_micros
from rota.model.job import TIME_TRIGGERS, Job, Trigger
from rota.model.ledger import Event, JobRecord, Occurrence, Outcome, TriggerRecord
from rota.model.looks import LOOK_TRIGGERS, LookRecord
from rota.model.run import Reason
from rota.planning.chains import upstreams
from rota.planning.due import next_due, occurrence_key, stretch
from rota.ports.store import Tx


def put_job(tx: Tx, record: JobRecord, job: Job, now: Micros) -> None:
    """Write the job and its time triggers. A trigger that says what it said before keeps its place in time."""
    wanted = [_record(record, trigger, now) for trigger in job.triggers if trigger.kind in TIME_TRIGGERS]
    before = {trigger.trigger_id: trigger for trigger in tx.triggers.of(record.id)}
    was = tx.jobs.get(record.id)
    rest = None if was is None else at_rest(was)
    slept = was is not None and was.removed_at is None and not was.enabled
    tx.jobs.put(record)
    note_upstreams(tx, record.id, upstreams_of(was), upstreams(job), now)
    note_boot(tx, record, now)
    note_hooks(tx, record.id, names_before(was), names_of(job), now)
    _put_looks(tx, record.id, job)
    if not record.enabled:
        words = "the job was disabled before this run started"
        cancel_unstarted(tx, record.id, Reason("disabled", words))
    for gone in before.keys() - {fresh.trigger_id for fresh in wanted}:
        words = "the trigger was removed before this was noticed"
        skip_ahead(tx, before[gone], now, rest or Reason("rescheduled", words))
        tx.triggers.delete(record.id, gone)
    for fresh in wanted:
        old = before.get(fresh.trigger_id)
        if old is not None and _same(old, fresh):
            if old.next_due is None and fresh.next_due is not None:
                _take_up_again(tx, old, now)
            elif slept and record.enabled:
                skip_ahead(tx, old, now, Reason("disabled", "the job was disabled (`enabled: false`)"))
            continue
        if old is not None:
            words = "the schedule was changed before this was noticed"
            skip_ahead(tx, old, now, rest or Reason("rescheduled", words))
        used_up = old is not None and _is_used_up(tx, old, fresh)
        tx.triggers.put(replace(fresh, next_due=None) if used_up else fresh)


def _put_looks(tx: Tx, job_id: str, job: Job) -> None:
    """The triggers that look; one that is there keeps what it has seen."""
    wanted = [trigger for trigger in job.triggers if trigger.kind in LOOK_TRIGGERS]
    kinds = {trigger.id: trigger.kind for trigger in wanted}
    for known in tx.looks.of(job_id):
        if kinds.get(known.trigger_id) != known.kind:
            tx.looks.delete(job_id, known.trigger_id)
    for trigger in wanted:
        tx.looks.register(LookRecord(job_id, trigger.id, trigger.kind, trigger.text))


def coming(record: JobRecord, job: Job, now: Micros, count: int) -> list[Micros]:
    """The first moments of the time triggers of a job that is not in the registry (yet), in order."""
    found: set[Micros] = set()
    for trigger in job.triggers if job.enabled else ():
        if trigger.kind not in TIME_TRIGGERS:
            continue
        first = _record(record, trigger, now)
        moment, schedule = first.next_due, schedule_of(first)
        for _ in range(count):
            if moment is None:
                break
            found.add(moment)
            moment = next_due(schedule, moment)
    return sorted(found)[:count]


def remove_job(tx: Tx, job_id: str, now: Micros, by: int | None = None) -> bool:
    """Take a job off the registry (`by`: an agent's proposal); its runs and its ledger stay."""
    triggers, was = tx.triggers.of(job_id), tx.jobs.get(job_id)
    if was is None or not tx.jobs.remove(job_id, now, by):
        return False
    note_upstreams(tx, job_id, upstreams_of(was), (), now)
    note_boot(tx, replace(was, removed_at=now), now)
    note_hooks(tx, job_id, names_before(was), (), now)
    for trigger in triggers:
        words = "the job was removed before this was noticed"
        skip_ahead(tx, trigger, now, at_rest(was) or Reason("removed", words))
    for look in tx.looks.of(job_id):
        tx.looks.delete(job_id, look.trigger_id)
    words = "the job was removed before this run started"
    cancel_unstarted(tx, job_id, Reason("removed", words), by_hand=True)
    tx.events.append(Event("job_removed", now, job_id, None, {} if by is None else {"proposal": by}))
    return True


def resume_job(tx: Tx, job_id: str, now: Micros) -> bool:
    """Let a paused job go on from now; what was due meanwhile is skipped. False when it is not paused."""
    triggers = tx.triggers.of(job_id)
    if not tx.jobs.resume(job_id, now):
        return False
    for trigger in triggers:
        skip_ahead(tx, trigger, now, Reason("paused", "the job was paused"))
    count_anew(tx, job_id, now)
    tx.events.append(Event("job_resumed", now, job_id))
    return True


def skip_ahead(tx: Tx, trigger: TriggerRecord, now: Micros, reason: Reason) -> None:
    """Record what was due up to now as skipped, and go on from now."""
    try:
        plan = stretch(trigger, schedule_of(trigger), now, Outcome.SKIPPED, reason)
    except ScheduleError:  # its text cannot be read any more: the scheduler says so, and nothing is due by it
        return
    for row in plan.rows:
        tx.ledger.add(
            Occurrence(
                job_id=trigger.job_id,
                trigger_id=trigger.trigger_id,
                key=row.key,
                due_at=row.due_at,
                noticed_at=now,
                outcome=row.outcome,
                reason=row.reason,
                until=row.until,
                count=row.count,
            )
        )
    if plan.rows:
        tx.triggers.advance(trigger, since=plan.since, next_due=plan.next_due)


def _take_up_again(tx: Tx, stuck: TriggerRecord, now: Micros) -> None:
    """A trigger that could not be computed for a while: what was due meanwhile was missed."""
    schedule = schedule_of(stuck)
    woken = replace(stuck, next_due=next_due(schedule, stuck.since))
    tx.triggers.put(woken)
    reason = Reason("broken", "the trigger could not be computed at the time")
    skip_ahead(tx, woken, now, reason)


def _record(record: JobRecord, trigger: Trigger, now: Micros) -> TriggerRecord:
    """The trigger as it starts: first due after now; `every` counts from its anchor or the job's creation."""
    whole_second = record.created_at - record.created_at % SECOND
    anchor = whole_second if trigger.kind in {"every", "rrule"} else None
    if trigger.anchor is not None:
        anchor = to_micros(_aware(trigger.anchor, record.timezone))
    fresh = TriggerRecord(
        job_id=record.id,
        trigger_id=trigger.id,
        kind=trigger.kind,
        text=trigger.text,
        timezone=record.timezone,
        anchor=anchor,
        since=now,
        next_due=None,
    )
    return replace(fresh, next_due=next_due(schedule_of(fresh), now))


def _aware(text: str, timezone: str) -> datetime:
    from rota.schedule import zone

    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone(timezone))


def _is_used_up(tx: Tx, old: TriggerRecord, new: TriggerRecord) -> bool:
    """Whether the trigger is for one moment, was due, and says the same as before: another zone is no other call."""
    if (old.kind, old.text) != (new.kind, new.text) or old.kind != "at":
        return False
    moment = next_due(schedule_of(old), 0)
    if moment is None:
        return False
    near = tx.ledger.of(old.job_id, limit=20, around=moment)
    return any(o.trigger_id == old.trigger_id and o.key == occurrence_key(moment) for o in near)


def _same(old: TriggerRecord, new: TriggerRecord) -> bool:
    return (old.kind, old.text, old.timezone, old.anchor) == (new.kind, new.text, new.timezone, new.anchor)
