"""The verbs of the state that are hot: many runs at a time, of which nothing but success is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from rota.model.instants import Micros
from rota.model.ledger import Occurrence
from rota.model.run import Run


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


class BulkTable(Protocol):
    """The hot verbs, over many runs at a time: one statement a table, whatever the number of runs."""

    def busy(self, job_ids: Sequence[str]) -> set[str]:
        """Those of these jobs that have a queued, running or waiting run."""
        ...

    def queue(self, items: Sequence[tuple[Occurrence, Run]]) -> list[Run]:
        """Write occurrences and their runs; the runs whose occurrence was not in the ledger yet."""
        ...

    def begin(
        self, steps: Sequence[tuple[str, str]], owner: str, now: Micros, lease_until: Micros
    ) -> Mapping[str, int]:
        """Claim runs and begin the first attempt at their only step: `steps` are (run id, step id).

        Queued, or waiting with their time come -> running with token + 1. The tokens by run id, of those
        that were there to be claimed.
        """
        ...

    def succeed(self, ends: Sequence[PlainEnd]) -> Collection[str]:
        """End runs with their step and attempt; ids of those that were still running under their token."""
        ...
