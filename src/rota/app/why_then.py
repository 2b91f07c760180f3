"""Why nothing was due at one moment: the schedule, the job's life, a pause, the daemon, the ledger's memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rota.app.times import local, upcoming
from rota.engine.definitions import schedule_of
from rota.model.errors import ScheduleError
from rota.model.instants import DAY, MINUTE, SECOND, Micros
from rota.model.ledger import JobRecord, Occurrence, TriggerRecord
from rota.model.run import Reason
from rota.planning.around import last_due
from rota.planning.due import next_due
from rota.planning.lives import Gap

_MAY_HAVE_BEEN = frozenset({"to_come", "not_noticed", "changed_since", "not_recorded"})


def is_about(occurrence: Occurrence, at: Micros) -> bool:
    """Whether an occurrence, or some of its stretch, is what a person means by a moment: that minute, or second."""
    return occurrence.due_at < at + _width(at) and at <= (occurrence.until or occurrence.due_at)


def _width(at: Micros) -> Micros:
    return SECOND if at % MINUTE else MINUTE


def nothing_then(
    record: JobRecord, triggers: Sequence[TriggerRecord], at: Micros, now: Micros, keep_days: float
) -> Iterator[Reason]:
    """Why the ledger has nothing of that moment."""
    zone = record.timezone
    if at < record.created_at:
        yield Reason(
            "not_made_yet", f"The job did not exist yet: it was made {local(record.created_at, zone)}."
        )
        return
    if record.removed_at is not None:
        if at >= record.removed_at:
            yield Reason("removed", "The job had been removed.")
        else:
            yield Reason("not_recorded", "The job has been removed since, and its schedule with it.")
        return
    for trigger in triggers:
        try:
            yield _of_trigger(record, trigger, at, now, keep_days)
        except ScheduleError as error:
            yield Reason("bad_schedule", f"Its schedule `{trigger.text}` cannot be read: {error}")
    if record.paused_at is not None and record.paused_at <= at <= now:
        yield Reason("paused", "It was paused then: what is due meanwhile is recorded when it is resumed.")


def _of_trigger(
    record: JobRecord, trigger: TriggerRecord, at: Micros, now: Micros, keep_days: float
) -> Reason:
    zone, schedule = record.timezone, schedule_of(trigger)
    due = next_due(schedule, at - 1)
    if due is None or due >= at + _width(at):
        said = schedule.describe()
        words = f"Its schedule `{trigger.text}`" + (f" ({said})" if said not in {"", trigger.text} else "")
        before, after = last_due(schedule, at), due
        near = [f"before it {local(before, zone)}"] if before is not None else ["before it never"]
        near.append(f"after it {local(after, zone)}" if after is not None else "after it never again")
        return Reason("not_in_schedule", f"{words} does not name that moment: {', '.join(near)}.")
    if due > now:
        return Reason("to_come", f"It is still to come: due {upcoming(due, zone, now)}.")
    if due <= record.created_at:
        made = local(record.created_at, zone)
        return Reason(
            "not_made_yet", f"The job was made {made}; what its schedule names before that is not due."
        )
    if trigger.next_due is not None and trigger.next_due <= due:
        return Reason("not_noticed", f"It was due {local(due, zone)}, and nobody has looked since.")
    if at < now - int(keep_days * DAY):
        return Reason("forgotten", f"The ledger goes back {keep_days:g} days (`keep_ledger_days`).")
    if record.updated_at > due:
        changed = local(record.updated_at, zone)
        words = f"By its present schedule it was due {local(due, zone)}; but the job was changed {changed}."
        return Reason("changed_since", words)
    return Reason(
        "not_recorded",
        f"By its present schedule it was due {local(due, zone)}; the ledger has no word of it.",
    )


def lead_of(reasons: Sequence[Reason], at: Micros, now: Micros, zone: str) -> list[str]:
    """The sentence before the reasons; none where one of them says that something is, or may have been, due."""
    if any(reason.code in _MAY_HAVE_BEEN for reason in reasons):
        return []
    return [f"Nothing {'was' if at <= now else 'will be'} due {local(at, zone)}."]


def down(gap: Gap, zone: str) -> Reason:
    """A gap between the lives of daemons, in words."""
    if gap.since is None:
        return Reason("daemon_down", f"No daemon had run before {local(gap.until or 0, zone)}.")
    if gap.until is None:
        return Reason("daemon_down", f"The daemon is down since {local(gap.since, zone)}.")
    return Reason(
        "daemon_down", f"The daemon was down from {local(gap.since, zone)} to {local(gap.until, zone)}."
    )
