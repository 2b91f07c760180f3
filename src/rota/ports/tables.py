"""The verbs of the state, one Protocol a noun: what a transaction (`ports.store.Tx`) is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from rota.model.instants import Micros
from rota.model.ledger import BrokenFile, JobRecord, Occurrence, Outcome, TriggerRecord
from rota.model.message import Approval, Message
from rota.model.run import Attempt, Reason, Run, RunState, StepRun


class JobsTable(Protocol):
    """The runtime registry of jobs. Removed jobs stay as rows, so that their history has a name."""

    def all(self, *, removed: bool = False) -> list[JobRecord]:
        """By id; those that were removed only with `removed`."""
        ...

    def get(self, job_id: str) -> JobRecord | None:
        """The record, removed or not."""
        ...

    def get_many(self, job_ids: Collection[str]) -> Mapping[str, JobRecord]:
        """The records that there are, by id."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Number of jobs by status, of those that are not removed."""
        ...

    def put(self, record: JobRecord) -> None:
        """Insert or replace; also keeps the definition under its hash for the runs that use it."""
        ...

    def definition(self, hash_: str) -> str | None:
        """The JSON definition of that hash, present or past."""
        ...

    def unused_definitions(self, limit: int) -> list[str]:
        """Hashes of up to `limit` definitions that no job and no run refers to. Reads all of both."""
        ...

    def forget_definition(self, hash_: str) -> None:
        """Delete a definition; a StoreError (`store_refused`) when it is referred to after all."""
        ...

    def set_error(self, job_id: str, error: str | None, now: Micros) -> None:
        """Mark the job's file as broken, or mended (None)."""
        ...

    def pause(self, job_id: str, reason: str, now: Micros) -> bool:
        """Pause; False when it is paused already or not there."""
        ...

    def resume(self, job_id: str, now: Micros) -> bool:
        """Resume; False when it is not paused."""
        ...

    def made_by_agents(self) -> int:
        """Number of jobs that agents made and that are not removed."""
        ...

    def remove(self, job_id: str, now: Micros, by: int | None = None) -> bool:
        """Mark as removed (`by`: an agent's proposal) and drop its triggers; False when it is not there."""
        ...

    def broken_files(self) -> list[BrokenFile]:
        """Job files that cannot be used at present, by path."""
        ...

    def set_broken_files(self, files: Sequence[BrokenFile]) -> None:
        """Replace the whole list."""
        ...


class TriggersTable(Protocol):
    """Time triggers and when each is due; an index on `next_due` makes `due` cheap among millions."""

    def of(self, job_id: str) -> list[TriggerRecord]:
        """The triggers of a job, by id."""
        ...

    def all(self) -> list[TriggerRecord]:
        """Every trigger, by (job, trigger)."""
        ...

    def put(self, record: TriggerRecord) -> None:
        """Insert or replace."""
        ...

    def delete(self, job_id: str, trigger_id: str) -> None:
        """Forget it; its occurrences stay."""
        ...

    def due(self, until: Micros, limit: int) -> list[TriggerRecord]:
        """Those with `next_due <= until` of jobs that are enabled, not paused, not removed; soonest first."""
        ...

    def next_due(self) -> Micros | None:
        """The soonest `next_due` of the same jobs."""
        ...

    def ahead_of(self, instant: Micros) -> list[TriggerRecord]:
        """Those whose due moments are in the ledger beyond that instant. Reads all."""
        ...

    def advance(self, record: TriggerRecord, *, since: Micros, next_due: Micros | None) -> bool:
        """Move on, only if `next_due` and `text` are still what `record` says; False when another process did it."""
        ...


class LedgerTable(Protocol):
    """Occurrences: how every due moment ended."""

    def add(self, occurrence: Occurrence) -> bool:
        """Insert; False when (job, trigger, key) is there already, and nothing is written."""
        ...

    def settle(self, run_id: str, outcome: Outcome, reason: Reason) -> None:
        """Change how the occurrence of a run ended (a queued run that was cancelled: skipped)."""
        ...

    def amend(self, occurrence: Occurrence) -> bool:
        """Give the row of (job, trigger, key) the outcome, reason and run of this one; False when it ran, or is not there."""
        ...

    def of(
        self, job_id: str, *, limit: int = 50, around: Micros | None = None, outcome: Outcome | None = None
    ) -> list[Occurrence]:
        """Latest first; with `around`, those nearest to that instant, latest first."""
        ...

    def between(self, job_id: str, start: Micros, end: Micros) -> list[Occurrence]:
        """Every row with a moment in [start, end), stretches that reach into it included, oldest first."""
        ...

    def count(self, job_id: str) -> Mapping[str, int]:
        """Number of moments by outcome."""
        ...

    def prune(self, job_id: str, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` occurrences that ended before that instant, none of an active run; how many."""
        ...

    def reaching_back(self, older_than: Micros) -> list[str]:
        """Ids of the jobs that have occurrences due before that instant."""
        ...


class RunsTable(Protocol):
    """Runs, their steps and attempts. Everything with a `token` raises LostClaimError when it is not the run's."""

    def add(self, run: Run) -> None:
        """Insert a queued run, or a waiting one that has a `not_before`."""
        ...

    def get(self, run_id: str) -> Run | None:
        """The run of exactly that id."""
        ...

    def find(self, text: str) -> list[Run]:
        """Runs whose id starts or ends with `text`, latest first, at most 10."""
        ...

    def recent(
        self,
        *,
        job_id: str | None = None,
        states: Iterable[RunState] | None = None,
        limit: int = 50,
        since: Micros | None = None,
    ) -> list[Run]:
        """Latest first by `queued_at`."""
        ...

    def latest(self) -> Mapping[str, Run]:
        """The latest run of every job, by job id; one query."""
        ...

    def active(self, job_id: str) -> list[Run]:
        """Queued, running and waiting runs of a job, oldest first."""
        ...

    def active_jobs(self) -> frozenset[str]:
        """Ids of the jobs that have active runs; its cost is that of the jobs, not of the runs."""
        ...

    def active_counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Number of *running* runs by job id, and by concurrency group."""
        ...

    def claimable(self, now: Micros, limit: int, jobs: Collection[str] | None = None) -> list[Run]:
        """Queued runs, and waiting ones whose `not_before` has come (of these jobs); by priority (high first), then age."""
        ...

    def next_wake(self) -> Micros | None:
        """The soonest `not_before` of the waiting runs."""
        ...

    def claim(self, run_id: str, owner: str, now: Micros, lease_until: Micros) -> Run | None:
        """Queued/waiting -> running with token + 1, by compare-and-set; None when another was first."""
        ...

    def renew(self, owner: str, lease_until: Micros) -> int:
        """Extend the lease of every running run of that owner; how many there are."""
        ...

    def running(self, owner: str | None = None) -> list[Run]:
        """Running runs (of that owner)."""
        ...

    def running_count(self, owner: str) -> int:
        """How many running runs that owner has."""
        ...

    def release(
        self,
        run: Run,
        now: Micros,
        reason: Reason,
        *,
        state: RunState = RunState.QUEUED,
        not_before: Micros | None = None,
    ) -> None:
        """Give the run of `run.token` back: to the queue, or to waiting (until `not_before`, or a person's answer).

        One whose end was asked for is among `to_end` from then on, whatever it is given back as.
        """
        ...

    def finish(
        self, run: Run, state: RunState, reason: Reason, now: Micros, outputs: Mapping[str, Any]
    ) -> None:
        """End the run that is still as `run` says: in its state, under its token."""
        ...

    def request_cancel(self, run_id: str, reason: Reason) -> RunState | None:
        """Ask for an end, for a reason that the run shows from now on; the state before (None: no such run).

        Who executes it ends it; a queued or waiting one starts no more, and is among `to_end`.
        """
        ...

    def to_end(self) -> list[Run]:
        """Runs whose end was asked for and that nobody executes, oldest first."""
        ...

    def cancel_requests(self, owner: str) -> list[str]:
        """Ids of the running runs of that owner that are to end."""
        ...

    def steps(self, run_id: str) -> list[StepRun]:
        """By index."""
        ...

    def put_step(self, run: Run, step: StepRun) -> None:
        """Insert or replace a step of the run that is still as `run` says: in its state, under its token."""
        ...

    def attempts(self, run_id: str, step_id: str | None = None) -> list[Attempt]:
        """By start."""
        ...

    def put_attempt(self, run: Run, attempt: Attempt) -> None:
        """Insert or replace by (step, number), for the run that is still as `run` says."""
        ...

    def answer_step(self, run_id: str, step: StepRun, now: Micros) -> bool:
        """Give a waiting run's waiting step its result and queue the run again; False when it does not wait."""
        ...

    def failures_in_a_row(self, job_id: str, *, since: Micros = 0) -> int:
        """Runs of the job that failed after the latest one that succeeded; of those queued at `since` or later."""
        ...

    def previous(self, job_id: str, before: str) -> Run | None:
        """The latest run of the job, other than `before`, that succeeded or failed."""
        ...

    def lengths(self, job_id: str, limit: int) -> list[Micros]:
        """How long the latest runs of the job that succeeded took, latest first."""
        ...

    def with_outdated(self, keep: int, older_than: Micros) -> list[str]:
        """Ids of the jobs that may have `outdated` runs; one look at an index of all runs."""
        ...

    def outdated(self, job_id: str, keep: int, older_than: Micros, limit: int) -> list[str]:
        """Ids of up to `limit` finished runs beyond the newest `keep` or older than that, oldest first."""
        ...

    def oldest(self, older_than: Micros, limit: int) -> list[str]:
        """Ids of up to `limit` finished runs queued before that, oldest first; never the newest one of a job."""
        ...

    def owners_of_logs(self, run_ids: Sequence[str]) -> Mapping[str, tuple[str, bool]]:
        """Job id of each run that is in the state, and whether it is finished."""
        ...

    def prune(self, run_ids: Sequence[str]) -> None:
        """Delete finished runs with their journals."""
        ...


class OutboxTable(Protocol):
    """Messages until they are delivered."""

    def add(self, message: Message) -> bool:
        """Insert; False when the key is there already."""
        ...

    def due(self, now: Micros, limit: int) -> list[Message]:
        """Pending ones whose `not_before` has come, oldest first."""
        ...

    def next_due(self) -> Micros | None:
        """The soonest `not_before` of the pending ones."""
        ...

    def claim(self, key: str, now: Micros) -> Message | None:
        """pending -> sending with attempts + 1; None when another was first."""
        ...

    def sent(self, key: str, now: Micros) -> None:
        """Delivered."""
        ...

    def retry(self, key: str, error: str, not_before: Micros) -> None:
        """Back to pending."""
        ...

    def failed(self, key: str, error: str, now: Micros) -> None:
        """Given up."""
        ...

    def reopen(self, now: Micros, stale_before: Micros) -> int:
        """Messages that a dead process left in `sending` (claimed before `stale_before`): pending again."""
        ...

    def recent(self, *, run_id: str | None = None, limit: int = 50) -> list[Message]:
        """Latest first."""
        ...

    def prune(self, older_than: Micros, limit: int) -> int:
        """Delete up to `limit` messages, sent or given up, that are older than that; how many."""
        ...


class ApprovalsTable(Protocol):
    """Questions that runs wait on."""

    def ask(self, approval: Approval) -> None:
        """Insert or reopen by (run, step)."""
        ...

    def open(self) -> list[Approval]:
        """Unanswered, oldest first."""
        ...

    def of(self, run_id: str) -> list[Approval]:
        """Those of a run."""
        ...

    def answer(
        self, run_id: str, step_id: str, answer: str, by: str, now: Micros, *, reason: str | None = None
    ) -> bool:
        """Answer an open one whose time is not over; False when it is not so."""
        ...

    def expired(self, now: Micros, limit: int) -> list[Approval]:
        """Open ones whose time is over, the earliest first."""
        ...

    def next_expiry(self) -> Micros | None:
        """When the time of the next open one is over."""
        ...

    def expire(self, run_id: str, step_id: str, by: str) -> bool:
        """Give an open one its fallback for an answer, at the moment when its time was over; False when it is not open."""
        ...

    def withdraw(self, run_id: str, now: Micros) -> None:
        """The run ended: its open questions are cancelled."""
        ...
