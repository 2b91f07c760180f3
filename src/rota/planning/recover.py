"""What becomes of a step that was in flight when its run's owner died."""

from __future__ import annotations

from dataclasses import dataclass

from rota.model.job import OnInterrupt
from rota.model.run import Reason, StepState


@dataclass(frozen=True)
class Recovery:
    """The state that the step gets: PENDING is tried again, WAITING asks a person, for one of `choices`.

    `afresh`: an open conversation is not gone on with.
    """

    state: StepState
    reason: Reason
    choices: tuple[str, ...] = ()
    afresh: bool = True


def recover(policy: OnInterrupt, *, talking: bool = False) -> Recovery:
    """Decide by the step's `on_interrupt`. `talking`: it was in a conversation that can be gone on with."""
    if policy is OnInterrupt.RESUME and talking:
        reason = Reason("interrupted", "rota ended while it ran; it goes on with its conversation")
        return Recovery(StepState.PENDING, reason, afresh=False)
    if policy is OnInterrupt.RETRY:
        return Recovery(StepState.PENDING, Reason("interrupted", "rota ended while it ran; tried again"))
    if policy is OnInterrupt.FAIL:
        return Recovery(
            StepState.FAILED, Reason("interrupted", "rota ended while it ran, and on_interrupt is fail")
        )
    choices = ("retry", "resume", "skip", "fail") if talking else ("retry", "skip", "fail")
    words = f"{', '.join(choices[:-1])} or {choices[-1]}"
    reason = Reason("interrupted", f"rota ended while it ran; what it did is unknown: {words}?")
    return Recovery(StepState.WAITING, reason, choices, afresh=False)
