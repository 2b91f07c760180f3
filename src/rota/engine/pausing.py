"""Pauses: by a person, or by rota itself after too many failures in a row."""

from __future__ import annotations

from rota.engine.notices import Situation, notices_of_pause
from rota.engine.queueing import cancel_unstarted
from rota.model.instants import Micros
from rota.model.ledger import Event
from rota.model.run import Reason, RunState
from rota.ports.logger import Logger
from rota.ports.store import Tx

log = Logger("rota.pausing")


def pause(tx: Tx, job_id: str, reason: str, now: Micros, *, run_id: str | None = None) -> bool:
    """Pause a job; False when it is paused already, or not there. `run_id`: the run that brought it about.

    What its triggers called for and has not started is skipped: a paused job starts nothing by itself.
    """
    if not tx.jobs.pause(job_id, reason, now):
        return False
    cancel_unstarted(tx, job_id, Reason("paused", "the job was paused before this run started"))
    tx.events.append(Event("job_paused", now, job_id, run_id, {"reason": reason}))
    return True


def count_anew(tx: Tx, job_id: str, now: Micros) -> None:
    """Failures before now do not count any more."""
    tx.cursors.put(_counted_from(job_id), now, now)


def pause_after_failures(tx: Tx, situation: Situation) -> None:
    """After a run: pause the job if it failed as the last of as many in a row as `max_failures` allows, and say so."""
    job, config = situation.job, situation.config
    most = config.max_failures if job.max_failures is None else job.max_failures
    if most == 0 or situation.state is not RunState.FAILED:
        return
    failed = tx.runs.failures_in_a_row(job.id, since=tx.cursors.get(_counted_from(job.id)) or 0)
    if failed < most:
        return
    text = "its run failed" if failed == 1 else f"{failed} runs in a row failed"
    if not pause(tx, job.id, text, situation.now, run_id=situation.run.id):
        return
    try:
        messages = notices_of_pause(situation, text)
    except Exception:  # a message that cannot be made must not undo the end of the run
        log.exception("notifications_not_composed", job=job.id, run=situation.run.id)
        return
    for message in messages:
        tx.outbox.add(message)


def _counted_from(job_id: str) -> str:
    return f"failures:{job_id}"
