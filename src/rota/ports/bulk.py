"""The verbs of the state that are hot: many runs at a time, of which nothing but success is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from rota.model.instants import Micros
from rota.model.ledger import TriggerRecord

# The reason code of a run that was claimed with many others: its only step has no row before it lasts, or ends.
BEGUN = "begun"


class NewRun(NamedTuple):
    """An occurrence and its run; texts are as the state keeps them, `inputs` JSON. `moments`: how many it stands for."""

    run_id: str
    job_id: str
    trigger_id: str
    key: str
    due_at: Micros
    noticed_at: Micros
    outcome: str
    reason_code: str
    reason_text: str
    until: Micros | None
    moments: int
    state: str
    definition: str
    queued_at: Micros
    run_reason_code: str
    run_reason_text: str
    inputs: str
    concurrency_group: str | None
    priority: int
    not_before: Micros | None


class PlainEnd(NamedTuple):
    """How a run of one step ended well; texts are as the state keeps them, `outputs` and `run_outputs` JSON."""

    run_id: str
    token: int
    job_id: str
    step_id: str
    started_at: Micros
    finished_at: Micros
    output: str
    outputs: str
    run_outputs: str
    exit_code: int | None
    excerpt: str
    log: str | None
    output_bytes: int
    truncated: int


class PlainBegin(NamedTuple):
    """The first attempt at the only step of a run that is running under `token`."""

    run_id: str
    step_id: str
    token: int
    started_at: Micros


class Advance(NamedTuple):
    """Where a trigger moves to; see `TriggersTable.advance`."""

    trigger: TriggerRecord
    since: Micros
    next_due: Micros | None


class BulkTable(Protocol):
    """The hot verbs, over many runs at a time: one statement a table, whatever the number of runs."""

    def busy(self, job_ids: Sequence[str]) -> set[str]:
        """Those of these jobs that have a queued, running or waiting run."""
        ...

    def advance(self, moves: Sequence[Advance]) -> Collection[tuple[str, str]]:
        """`TriggersTable.advance` of many; (job id, trigger id) of those that were still where they were seen."""
        ...

    def queue(self, new: Sequence[NewRun]) -> Collection[str]:
        """Write occurrences and their runs; ids of the runs whose occurrence was not in the ledger yet."""
        ...

    def claim(
        self, run_ids: Sequence[str], owner: str, now: Micros, lease_until: Micros
    ) -> Mapping[str, int]:
        """Queued, or waiting with their time come -> running with token + 1, as `begun`.

        The tokens by run id, of those that were there to be claimed.
        """
        ...

    def begin(self, steps: Sequence[PlainBegin]) -> None:
        """Write attempts that have begun, of those runs that are still running under their token."""
        ...

    def succeed(self, ends: Sequence[PlainEnd]) -> Collection[str]:
        """End runs with their step and attempt, begun or not; ids of those that were still running under their token."""
        ...
