"""What the evidence of a run (`success_if:`) says, judged from what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rota.model.instants import SECOND, Micros, age
from rota.model.job import Evidence
from rota.model.run import Reason

# The kernel stamps a file with the time of its last tick, which is up to so much behind the clock.
_TICK: Micros = SECOND // 50
# A stamp without a fraction is of a file system that keeps none; the coarsest keeps every other second.
_COARSEST: Micros = 2 * SECOND


@dataclass(frozen=True)
class Finding:
    """What one look gave. `seen`: in words, whether it is what was asked for (`met`) or not."""

    met: bool
    seen: str


def found(seen: str) -> Finding:
    """What was asked for is there."""
    return Finding(met=True, seen=seen)


def missing(seen: str) -> Finding:
    """It is not."""
    return Finding(met=False, seen=seen)


def words(evidence: Evidence) -> str:
    """What is asked for, in one line."""
    of = f" of step `{evidence.step}`" if evidence.step else ""
    if evidence.kind == "file":
        large = f" with at least {evidence.min_size} bytes" if evidence.min_size > 1 else ""
        match = f" that matches {evidence.contains!r}" if evidence.contains else ""
        return f"a fresh {evidence.text}{large}{match}"
    if evidence.kind == "command":
        return f"exit code 0 of: {evidence.text}"
    if evidence.kind == "output":
        return f"output{of} that matches {evidence.text!r}"
    return f"output{of} that meets {evidence.text or 'its schema'}"


def of_file(
    evidence: Evidence, name: str, *, written: Micros, size: int, since: Micros, now: Micros
) -> Finding:
    """Judge a file that is there by when it was written (`since`: the run's first start) and how large it is."""
    slack = _COARSEST if written % SECOND == 0 else _TICK
    if written < since - slack:
        return missing(f"{name} was last written {age(max(0, now - written))} ago, before the run")
    if size < evidence.min_size:
        small = "is empty" if size == 0 else f"has {size} bytes, fewer than {evidence.min_size}"
        return missing(f"{name} {small}")
    return found(f"{name} was written by the run, {size} bytes")


def verdict(findings: Sequence[Finding]) -> Reason | None:
    """Why the run does not count as succeeded; None where nothing is missing."""
    gaps = [finding for finding in findings if not finding.met]
    if not gaps:
        return None
    more = f" ({len(gaps)} of {len(findings)} are missing)" if len(gaps) > 1 else ""
    return Reason("unverified", f"success_if: {gaps[0].seen}{more}")
