"""Why a job does not fire: its state, its triggers, its condition and its windows, each in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rota.app.times import local
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.job import TIME_TRIGGERS, Job, Trigger
from rota.model.ledger import JobRecord, Outcome, TriggerRecord
from rota.model.run import Reason, RunState
from rota.planning.gates import gate_of, passage
from rota.ports.store import Tx
from rota.spec.later import LATER

_ENDS = {
    "succeeded": (RunState.SUCCEEDED,),
    "failed": (RunState.FAILED,),
    "finished": (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED),
}
# What only the call itself brings along.
_OF_THE_CALL = re.compile(r"\b(payloads?|headers|query|occurrence|files?|items?)\b")


def state(record: JobRecord) -> Iterator[Reason]:
    """What was done to the job, or to its file."""
    zone = record.timezone
    if record.removed_at is not None:
        yield Reason("removed", f"The job was removed {local(record.removed_at, zone)}.")
    if record.error is not None:
        yield Reason("broken", f"Its file is broken, so the last good version is in force: {record.error}")
    if record.paused_at is not None:
        yield Reason(
            "paused",
            f"It is paused since {local(record.paused_at, zone)} ({record.paused_reason}): "
            f"no trigger fires. Hint: rota resume {record.id}",
        )
    if not record.enabled:
        yield Reason("disabled", "It is disabled in its file (`enabled: false`): no trigger fires.")


def budgets(tx: Tx, job: Job, config: WorkspaceConfig, now: Micros) -> Iterator[Reason]:
    """A budget that is used up."""
    from rota.engine.overspend import refusal  # most jobs never come here
    from rota.planning.budgets import in_words

    over = refusal(tx, job, config, now)
    if over is not None:
        words = in_words(over)
        yield Reason(
            "budget",
            f"{words[0].upper()}{words[1:]}: its schedule starts nothing until then. Hint: rota spend",
        )


def triggers(
    tx: Tx, record: JobRecord, job: Job, timed: Sequence[TriggerRecord], *, called: bool
) -> Iterator[Reason]:
    """What its triggers wait for. `called`: some of them has called before, so only what can never call is told."""
    if not timed and not any(trigger.kind not in {*TIME_TRIGGERS, "manual"} for trigger in job.triggers):
        words = f"It has no time trigger ({record.schedule or 'manual'}). Start it with: rota run {record.id}"
        yield Reason("no_time_trigger", words)
    if timed and all(trigger.next_due is None for trigger in timed):
        if called:
            yield Reason("over", "Nothing is due any more: its schedule has come to its end.")
        else:
            words = f"Its schedule ({record.schedule}) was over before the job was made: nothing is ever due by it."
            yield Reason("over", words)
    for trigger in job.triggers:
        key = f"on.{trigger.kind}"
        if key in LATER:
            yield Reason(
                "not_listening", f"{LATER[key][0].upper()}{LATER[key][1:]}.".replace("The `", "Its `")
            )
        elif not called and trigger.kind == "job":
            yield _chain(tx, record, trigger)
        elif not called and trigger.kind == "webhook":
            words = f"It starts with a request to /hooks/{trigger.text}. Hint: rota hook logs {trigger.text}"
            yield Reason("webhook", words)
        elif not called and trigger.kind == "reboot":
            words = "It starts when the daemon starts, which has not happened since the job was made."
            yield Reason("at_start", words)


def _chain(tx: Tx, record: JobRecord, trigger: Trigger) -> Reason:
    """What a trigger `job:` waits for."""
    other, when = trigger.text, str(trigger.options.get("when", "succeeded"))
    first = tx.jobs.get(other)
    if first is None or first.removed_at is not None:
        gone = "was removed" if first is not None else "does not exist"
        return Reason("chain", f"It starts after `{other}` has {when}, and the job `{other}` {gone}.")
    ended = tx.runs.recent(job_id=other, states=_ENDS.get(when, ()), limit=1)
    if ended and ended[0].finished_at is not None:
        at = local(ended[0].finished_at, record.timezone)
        early = ", before this job was made" if ended[0].finished_at < record.created_at else ""
        return Reason("chain", f"It starts after `{other}` has {when}, which was last so {at}{early}.")
    latest = tx.runs.recent(job_id=other, limit=1)
    so_far = (
        f"its last run is {latest[0].state.value}: {latest[0].reason.text}"
        if latest
        else "it has no runs yet"
    )
    return Reason("chain", f"It starts after `{other}` has {when}, which it never has ({so_far}).")


def condition(
    tx: Tx, record: JobRecord, job: Job, now: Micros, workspace: Mapping[str, str], *, always: bool
) -> Iterator[Reason]:
    """What the job's `if:` says now. `workspace`: as the templates see it. `always`: also when it holds."""
    if job.condition is None:
        return
    if _OF_THE_CALL.search(job.condition):
        if always:
            words = f"Whether it runs is decided when it is called: `if: {job.condition}`."
            yield Reason("condition_of_call", words)
        return
    from rota.engine.conditions import under_condition  # heavy, and most jobs have no condition
    from rota.engine.queueing import Call

    call = Call(job, record.hash, "", now, Reason("asked", "asked"), key="")
    judged = under_condition(tx, call, record.timezone, now, workspace)
    error = judged.inputs.get("condition_error")
    if error is not None:
        words = f"Its `if: {job.condition}` cannot be judged, so its runs fail: {error}"
        yield Reason("condition_error", words)
    elif judged.verdict is Outcome.SKIPPED:
        yield Reason("condition", f"Its `if: {job.condition}` is false now: due now, it would be skipped.")
    elif always:
        yield Reason("condition_holds", f"Its `if: {job.condition}` is true now.")


def windows(record: JobRecord, job: Job, upcoming: Micros | None, now: Micros) -> Iterator[Reason]:
    """What `window:` and `not_during:` make of the next moment, or of a run that started now."""
    gate = gate_of(job)
    if gate is None:
        return
    zone, due = record.timezone, max(now, upcoming or now)
    passed = passage(job, gate, due, zone)
    if passed.reason is None:
        return
    opening = gate.opens_at(due, zone)
    opens = "it does not open in the next 400 days" if opening is None else f"it opens {local(opening, zone)}"
    closed = gate.closed_by(due, zone) or ""
    what = "Its next moment is" if upcoming is not None else "It is now"
    kept = closed if closed.startswith("outside") else f"in {closed}"
    fate = "it will be skipped" if passed.start is None else "it is put off until then"
    yield Reason("window", f"{what} {kept}: {opens}; {fate}.")
