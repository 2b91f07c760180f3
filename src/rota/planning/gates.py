"""When a run may start: what the job's `window:` and `not_during:` make of the moment at which it would."""

from __future__ import annotations

from dataclasses import dataclass

from rota.model.instants import Micros
from rota.model.job import Job, Window
from rota.model.run import Reason
from rota.schedule import Gate, Span, local_time, read_spans


@dataclass(frozen=True)
class Passage:
    """`start` None: the run is skipped. `reason` None: it starts when it would."""

    start: Micros | None
    reason: Reason | None = None


def gate_of(job: Job) -> Gate | None:
    """The job's windows, read; None when it has none."""
    if job.window is None and job.not_during is None:
        return None
    return Gate(_spans(job.window), _spans(job.not_during))


def passage(job: Job, gate: Gate, start: Micros, timezone: str) -> Passage:
    """Whether a run of `job` that would start at `start` does, is put off, or is skipped."""
    closed = gate.closed_by(start, timezone)
    if closed is None:
        return Passage(start)
    policy = job.not_during if closed.startswith("not_during") else job.window
    opening = None if policy is not None and policy.skip else gate.opens_at(start, timezone)
    if opening is None:
        return Passage(None, Reason("window", closed))
    until = f"{local_time(opening, timezone):%a %-d %b %H:%M}"
    return Passage(opening, Reason("window", f"{closed}: put off to {until}"))


def _spans(window: Window | None) -> tuple[Span, ...]:
    return () if window is None else read_spans(window.times)
