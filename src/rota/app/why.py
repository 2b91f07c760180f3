"""`rota why`: what was due, what happened, why, and what happens next, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rota.app.control import running_daemon
from rota.app.queries import find_job
from rota.app.times import ago, local
from rota.app.times import upcoming as soon
from rota.app.wiring import App
from rota.model.instants import MINUTE, Micros
from rota.model.ledger import DaemonRecord, JobRecord, Occurrence, TriggerRecord
from rota.model.run import Run
from rota.ports.store import Tx


@dataclass(frozen=True)
class WhyView:
    """The ledger of a job. `runs` by id; `words` is the answer, line by line."""

    record: JobRecord
    occurrences: Sequence[Occurrence]
    runs: dict[str, Run]
    next_due: Micros | None
    words: Sequence[str]


def why(app: App, job_id: str, *, at: Micros | None = None, limit: int = 10) -> WhyView:
    """Answer from the ledger. Raises NotFoundError."""
    record = find_job(app, job_id)

    def look(tx: Tx) -> tuple[list[Occurrence], dict[str, Run], list[TriggerRecord], list[DaemonRecord]]:
        found = tx.ledger.of(record.id, limit=limit, around=at)
        runs = {o.run_id: run for o in found if o.run_id and (run := tx.runs.get(o.run_id)) is not None}
        return found, runs, tx.triggers.of(record.id), tx.daemons.recent(20)

    found, runs, triggers, daemons = app.store.read(look)
    fires = record.enabled and record.paused_at is None and record.removed_at is None
    due = [trigger.next_due for trigger in triggers if trigger.next_due is not None]
    upcoming = min(due) if due and fires else None
    words = [_occurrence(occurrence, runs, record.timezone) for occurrence in found]
    if not found:
        words.append(
            f"{record.id} has never been due." if at is None else f"{record.id} has no occurrence there."
        )
    elif at is not None and not any(_is_about(occurrence, at) for occurrence in found):
        words.insert(0, f"Nothing was due {local(at, record.timezone)}. The nearest:")
    words += _state(record)
    words += _next(app, record, triggers, upcoming, daemons)
    return WhyView(record, found, runs, upcoming, words)


def _is_about(occurrence: Occurrence, at: Micros) -> bool:
    """Whether a moment, as people name it, is this occurrence's: the minute, or within its stretch."""
    return occurrence.due_at - MINUTE < at < (occurrence.until or occurrence.due_at) + MINUTE


def _occurrence(occurrence: Occurrence, runs: dict[str, Run], timezone: str) -> str:
    when = local(occurrence.due_at, timezone)
    if occurrence.until is not None:
        count = f"{occurrence.count} times" if occurrence.count else "many times"
        when = f"{when} to {local(occurrence.until, timezone)} ({count})"
    said = f"{when}  {occurrence.outcome.value}: {occurrence.reason.text}"
    run = runs.get(occurrence.run_id or "")
    if run is not None:
        said += f"; run {run.id} {run.state.value}"
        if run.state.value != "succeeded":
            said += f" ({run.reason.text})"
    return said


def _state(record: JobRecord) -> list[str]:
    lines: list[str] = []
    if record.removed_at is not None:
        lines.append(f"The job was removed {local(record.removed_at, record.timezone)}.")
    if record.error is not None:
        lines.append(f"Its file is broken, so the last good version is in force: {record.error}")
    if record.paused_at is not None:
        lines.append(
            f"It is paused since {local(record.paused_at, record.timezone)} ({record.paused_reason}): "
            f"no trigger fires. Hint: rota resume {record.id}"
        )
    if not record.enabled:
        lines.append("It is disabled in its file (`enabled: false`): no trigger fires.")
    return lines


def _next(
    app: App,
    record: JobRecord,
    triggers: Sequence[TriggerRecord],
    upcoming: Micros | None,
    daemons: Sequence[DaemonRecord],
) -> list[str]:
    now = app.clock.now()
    lines: list[str] = []
    if running_daemon(app.layout) is None:
        last = daemons[0] if daemons else None
        if last is None:
            lines.append("No daemon has ever run on this workspace. Hint: rota up")
        else:
            lines.append(
                f"No daemon is running; the last one was seen {ago(last.stopped_at or last.seen_at, now)}. Hint: rota up"
            )
    if upcoming is not None:
        lines.append(f"Next: {soon(upcoming, record.timezone, now)}.")
    elif not triggers and record.removed_at is None:
        lines.append(
            f"It has no time trigger ({record.schedule or 'manual'}). Start it with: rota run {record.id}"
        )
    elif triggers and all(trigger.next_due is None for trigger in triggers):
        lines.append("Nothing is due any more: its schedule has come to its end.")
    return lines
