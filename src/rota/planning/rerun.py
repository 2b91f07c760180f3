"""Which steps a run that begins in the middle takes over from the run that it repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rota.model.errors import ConflictError, NotFoundError
from rota.model.job import Job
from rota.model.run import Reason, Run, StepRun, StepState
from rota.planning.graph import followers_of


def taken_over(job: Job, first: str, old: Run, journal: Mapping[str, StepRun]) -> list[StepRun]:
    """The steps of `old` that a run of `job` from step `first` on need not do again: all that do not wait for it.

    Raises NotFoundError when there is no step `first`, ConflictError when one that is needed had not finished.
    """
    if job.step(first) is None:
        there = ", ".join(step.id for step in job.steps)
        raise NotFoundError(f"`{job.id}` has no step `{first}`", hint=f"its steps: {there}")
    again = followers_of(job.steps, first)
    found: list[StepRun] = []
    for index, step in enumerate(job.steps):
        if step.id in again:
            continue
        known = journal.get(step.id)
        if known is None:
            raise ConflictError(
                f"run {old.id} did not come to step `{step.id}`, which `{first}` does not include",
                hint=f"leave out --from, or begin with it: --from {step.id}",
            )
        done = {StepState.SUCCEEDED, StepState.SKIPPED} | (
            {StepState.FAILED} if step.continue_on_error else set()
        )
        if known.state not in done:
            raise ConflictError(
                f"step `{step.id}` {known.state.value} in run {old.id}, and `{first}` does not include it",
                hint=f"leave out --from, or begin with it: --from {step.id}",
            )
        found.append(_copy(known, index, old))
    return found


def _copy(step: StepRun, index: int, old: Run) -> StepRun:
    """The step as it ended, which took no try of the new run."""
    words = f"taken over from run {old.id}"
    if step.reason is not None and step.reason.code == "taken_over":
        reason = step.reason  # of a run that took it over itself: it happened there
    elif step.reason is not None:
        reason = Reason(step.reason.code, f"{step.reason.text}; {words}")
    else:
        reason = Reason("taken_over", words)
    return replace(step, index=index, attempts=0, retry_at=None, reason=reason)
