"""The order of steps: one after the other, or as their `needs:` say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rota.model.instants import Micros
from rota.model.job import Step
from rota.model.run import STEP_FINAL, Reason, StepRun, StepState

_PASSED = frozenset({StepState.SUCCEEDED, StepState.SKIPPED})
_ENDED_BADLY = frozenset({StepState.FAILED, StepState.CANCELLED, StepState.INTERRUPTED})


@dataclass(frozen=True)
class Next:
    """`ready`: steps to start now. `blocked`: steps that can never start, with the step that is in the way."""

    ready: tuple[Step, ...]
    blocked: tuple[tuple[Step, str], ...]


def needs(steps: Sequence[Step]) -> Mapping[str, tuple[str, ...]]:
    """What each step waits for. A step without `needs:` waits for the one before it."""
    found: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for step in steps:
        found[step.id] = before if step.needs is None else step.needs
        before = (step.id,)
    return found


def next_steps(steps: Sequence[Step], states: Mapping[str, StepState]) -> Next:
    """Which pending steps may start, and which never will."""
    waits_for = needs(steps)
    tolerant = {step.id for step in steps if step.continue_on_error}
    dead = {step_id for step_id, state in states.items() if state in _ENDED_BADLY and step_id not in tolerant}
    obstacles = _obstacles(steps, states, waits_for, dead)
    pending = [s for s in steps if states.get(s.id, StepState.PENDING) is StepState.PENDING]
    ready = [
        step
        for step in pending
        if step.id not in obstacles
        and all(_passed(states.get(need), need in tolerant) for need in waits_for[step.id])
    ]
    return Next(tuple(ready), tuple((s, obstacles[s.id]) for s in pending if s.id in obstacles))


def closed(
    steps: Sequence[Step], journal: Mapping[str, StepRun], reason: Reason, now: Micros
) -> dict[str, StepRun]:
    """The journal of a cancelled run: open steps that had begun are cancelled, the others skipped."""
    ended = dict(journal)
    for step_id, step in journal.items():
        if step.state not in STEP_FINAL and step.attempts:
            ended[step_id] = replace(step, state=StepState.CANCELLED, reason=reason, finished_at=now)
    obstacles = next_steps(steps, {step_id: step.state for step_id, step in ended.items()}).blocked
    behind = {step.id: obstacle for step, obstacle in obstacles}
    for step_id, step in ended.items():
        if step.state not in STEP_FINAL:
            why = reason
            if step_id in behind:
                why = Reason("needs_failed", f"step `{behind[step_id]}` did not succeed")
            ended[step_id] = replace(step, state=StepState.SKIPPED, reason=why, finished_at=now)
    return ended


def followers_of(steps: Sequence[Step], step_id: str) -> frozenset[str]:
    """A step, and every step that waits for it, directly or through others."""
    waits_for = needs(steps)
    found = {step_id}
    grown = True
    while grown:
        more = {step.id for step in steps if found.intersection(waits_for[step.id])} - found
        found |= more
        grown = bool(more)
    return frozenset(found)


def _obstacles(
    steps: Sequence[Step],
    states: Mapping[str, StepState],
    waits_for: Mapping[str, tuple[str, ...]],
    dead: set[str],
) -> dict[str, str]:
    """Steps that never start, or were skipped for that reason, by what is in their way.

    A step that was skipped behind a failed one is as dead as that one: only a skipped step whose own
    needs were met lets others pass. The steps may stand in any order.
    """
    obstacles: dict[str, str] = {}
    stopped = {StepState.PENDING, StepState.SKIPPED}
    open_steps = [s for s in steps if states.get(s.id, StepState.PENDING) in stopped]
    found = True
    while found:
        found = False
        for step in open_steps:
            obstacle = next((n for n in waits_for[step.id] if n in dead or n in obstacles), None)
            if step.id not in obstacles and obstacle is not None:
                obstacles[step.id] = obstacle
                found = True
    return obstacles


def _passed(state: StepState | None, tolerant: bool) -> bool:
    return state in _PASSED or (tolerant and state is StepState.FAILED)
