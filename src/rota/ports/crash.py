"""Named crash points: places where the fault suite ends the process. They do nothing in production."""

from __future__ import annotations

import os
import signal

# Every point in the source, by test: the crash suite drives each of them, a new one without further ado.
CRASH_POINTS = (
    "scheduler.before_write",
    "scheduler.after_write",
    "scheduler.rewound",
    "scheduler.start_called",
    "files.before_write",
    "files.after_write",
    "polls.before_write",
    "polls.after_write",
    "polls.noted",
    "polls.failed",
    "dispatcher.claimed",
    "dispatcher.taken_back",
    "dispatcher.expired",
    "executor.before_step",
    "executor.step_begun",
    "executor.step_ran",
    "executor.step_ended",
    "executor.before_evidence",
    "executor.before_finish",
    "executor.finished",
    "executor.released",
    "plain.begun",
    "plain.given_back",
    "plain.before_success",
    "plain.succeeded",
    "journal.step_settled",
    "resume.step_recovered",
    "resume.answer_taken",
    "recovery.swept",
    "recovery.taken_over",
    "recovery.messages_reopened",
    "sessions.kept",
    "sessions.dropped",
    "notices.queued",
    "outbox.claimed",
    "outbox.sent",
    "outbox.recorded",
    "outbox.not_sent",
    "outbox.returned",
    "meter.opened",
    "meter.before_record",
    "meter.recorded",
    "meter.closed",
    "board.card_made",
    "retention.logs_gone",
    "retention.runs_gone",
    "retention.done",
    "commands.queued",
    "commands.answered",
    "inbox.taken",
    "inbox.done",
    "proposals.decided",
    "proposals.carried_out",
    "intake.before_write",
    "intake.after_write",
    "hooks.replayed",
    "store.before_commit",
    "store.after_commit",
)

_ARMED = os.environ.get("ROTA_CRASH_AT", "")


def crash_point(name: str) -> None:
    """End this process with SIGKILL when ROTA_CRASH_AT names this point (`name` or `name:N` for its Nth pass)."""
    if _ARMED:
        _maybe_crash(name)


_passes: dict[str, int] = {}


def _maybe_crash(name: str) -> None:
    wanted, _, count = _ARMED.partition(":")
    if wanted != name:
        return
    _passes[name] = _passes.get(name, 0) + 1
    if _passes[name] >= int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
