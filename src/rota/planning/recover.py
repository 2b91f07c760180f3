"""What becomes of a step that was in flight when its run's owner died."""

from __future__ import annotations

from dataclasses import dataclass

from rota.model.job import OnInterrupt
from rota.model.run import Reason, StepState


@dataclass(frozen=True)
class Recovery:
    """The state that the step gets: PENDING is tried again, WAITING asks a person."""

    state: StepState
    reason: Reason


def recover(policy: OnInterrupt) -> Recovery:
    """Decide by the step's `on_interrupt`."""
    if policy is OnInterrupt.RETRY:
        return Recovery(StepState.PENDING, Reason("interrupted", "rota ended while it ran; tried again"))
    if policy is OnInterrupt.FAIL:
        return Recovery(
            StepState.FAILED, Reason("interrupted", "rota ended while it ran, and on_interrupt is fail")
        )
    return Recovery(
        StepState.WAITING,
        Reason("interrupted", "rota ended while it ran; what it did is unknown: retry, skip or fail?"),
    )
