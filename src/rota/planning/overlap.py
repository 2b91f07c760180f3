"""What becomes of a due occurrence while an earlier run of the same job is still active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rota.model.job import Overlap
from rota.model.run import Reason, Run, RunState

MAX_QUEUED = 100


@dataclass(frozen=True)
class Admission:
    """`reason` None: queue the run. `cancel`: ids of runs to end for it."""

    reason: Reason | None = None
    cancel: tuple[str, ...] = ()


def admit(policy: Overlap, active: Sequence[Run]) -> Admission:
    """Decide about one more run beside the active ones (queued, running or waiting).

    Backfilled ones count for nothing: they make way for what is due now, which waits for one that runs.
    """
    active = [run for run in active if not run.backfilled]
    if not active or policy is Overlap.ALLOW:
        return Admission()
    if policy is Overlap.SKIP:
        first = active[0]
        doing = {RunState.RUNNING: "still running", RunState.QUEUED: "still queued"}.get(
            first.state, f"still waiting ({first.reason.text})"
        )
        return Admission(Reason("overlap", f"run {first.id} was {doing}, and overlap is skip"))
    if policy is Overlap.CANCEL_RUNNING:
        return Admission(cancel=tuple(run.id for run in active))
    if len(active) > MAX_QUEUED:
        return Admission(Reason("queue_full", f"{MAX_QUEUED} runs of this job are queued already"))
    return Admission()
