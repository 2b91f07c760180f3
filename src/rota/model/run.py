"""Runs, steps and attempts, and which state may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rota.model.instants import Micros


class RunState(StrEnum):
    """Where a run is. The last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class StepState(StrEnum):
    """Where a step of a run is."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


FINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.INTERRUPTED})
ACTIVE = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.WAITING})
STEP_FINAL = frozenset(
    {StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED, StepState.CANCELLED, StepState.INTERRUPTED}
)

# The trigger of a run that is another attempt at one that failed.
RETRY = "retry"

# The state-transition table: which run state may follow which. The store refuses any other.
TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.WAITING, RunState.CANCELLED}),
    RunState.RUNNING: FINAL | {RunState.WAITING, RunState.QUEUED, RunState.RUNNING},
    RunState.WAITING: frozenset({RunState.QUEUED, RunState.RUNNING, RunState.CANCELLED, RunState.FAILED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
    RunState.INTERRUPTED: frozenset(),
}


@dataclass(frozen=True)
class Reason:
    """Why something is as it is: `code` for machines (snake_case), `text` for people (one line)."""

    code: str
    text: str


@dataclass(frozen=True)
class Run:
    """One execution of a job.

    `token` is the fencing token: it grows with every claim, and only its holder may write.
    `not_before`: a waiting run is taken up again then (None while it waits for a person).
    `inputs`: params, payload and the like, as the templates see them; fixed for the run's life.
    `cancel_requested`: it is to end, for `reason`, and starts nothing more.
    `definition`: hash of the job's definition that this run executes (see `JobRecord.hash`).
    """

    id: str
    job_id: str
    state: RunState
    definition: str
    queued_at: Micros
    trigger_id: str = "manual"
    occurrence_key: str | None = None
    due_at: Micros | None = None
    reason: Reason = Reason("queued", "waiting for a free place")
    inputs: Mapping[str, Any] = field(default_factory=dict)
    group: str | None = None
    priority: int = 0
    token: int = 0
    owner: str | None = None
    lease_until: Micros | None = None
    not_before: Micros | None = None
    started_at: Micros | None = None
    finished_at: Micros | None = None
    cancel_requested: bool = False
    outputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Whether nothing more will happen to this run."""
        return self.state in FINAL

    @property
    def backfilled(self) -> bool:
        """Whether it makes up for a moment of the past by a person's wish, and so stands back for what is due."""
        return bool(self.inputs.get("backfill"))

    def taken_up(self, token: int, owner: str, now: Micros) -> Run:
        """This run as its owner has it from `now` on."""
        # As `dataclasses.replace` would, in a fifth of the time: done for each of thousands of runs a second.
        taken = object.__new__(Run)
        taken.__dict__.update(
            self.__dict__, state=RunState.RUNNING, token=token, owner=owner, started_at=self.started_at or now
        )
        return taken


@dataclass(frozen=True)
class StepRun:
    """A step of a run, as the journal has it.

    `attempts`: tries begun. `output`: text, capped; `values`: names that the step put out.
    `retry_at`: when a waiting step is tried again.
    """

    run_id: str
    step_id: str
    index: int
    state: StepState = StepState.PENDING
    attempts: int = 0
    started_at: Micros | None = None
    finished_at: Micros | None = None
    retry_at: Micros | None = None
    reason: Reason | None = None
    output: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """One try of a step. `excerpt`: head and tail of what it printed; `log`: file under .rota/logs, if any."""

    run_id: str
    step_id: str
    number: int
    state: StepState
    started_at: Micros
    finished_at: Micros | None = None
    exit_code: int | None = None
    reason: Reason | None = None
    excerpt: str = ""
    log: str | None = None
    output_bytes: int = 0
    truncated: bool = False
