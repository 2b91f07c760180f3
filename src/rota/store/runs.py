"""Runs: reading them, and the state machine that every change obeys.

Whoever executes a run holds its token. Each change by the holder names the token and the state
`running` in its condition, so a holder that was replaced in the meantime changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rota.model.errors import ConflictError, LostClaimError
from rota.model.instants import Micros
from rota.model.run import FINAL, TRANSITIONS, Attempt, Reason, Run, RunState, StepRun
from rota.store import run_queries as q
from rota.store.sql import Row, Session, from_json, to_json
from rota.store.steps import Steps


class Runs:
    """The verbs of `ports.store.RunsTable`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._steps = Steps(session)

    def add(self, run: Run) -> None:
        """Insert a run, queued or waiting for its `not_before`; a StoreError when its job or definition is not there."""
        if run.state is not RunState.QUEUED and (run.state is not RunState.WAITING or run.not_before is None):
            raise ConflictError(
                f"run {run.id} cannot begin as {run.state}", hint="add it queued, then claim it"
            )
        self._session.change(q.ADD, **_values(run))

    def get(self, run_id: str) -> Run | None:
        """The run of exactly that id."""
        row = self._session.one(q.GET, run_id=run_id)
        return None if row is None else _run(row)

    def find(self, text: str) -> list[Run]:
        """Runs whose id starts or ends with `text`, latest first, at most 10."""
        return _runs(self._session.all(q.find(text)))

    def recent(
        self,
        *,
        job_id: str | None = None,
        states: Iterable[RunState] | None = None,
        limit: int = 50,
        since: Micros | None = None,
    ) -> list[Run]:
        """Latest first by `queued_at`."""
        return _runs(self._session.all(q.recent(job_id, states, since), limit=limit))

    def latest(self) -> Mapping[str, Run]:
        """The latest run of every job, by job id."""
        return {run.job_id: run for run in _runs(self._session.all(q.LATEST))}

    def active(self, job_id: str) -> list[Run]:
        """Queued, running and waiting runs of a job, oldest first."""
        return _oldest_first(self._session.all(q.ACTIVE, job_id=job_id))

    def active_counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Number of *running* runs by job id, and by concurrency group."""
        rows = self._session.all(q.RUNNING_GROUPS)
        by_job = Counter(job_id for job_id, _ in rows)
        by_group = Counter(group for _, group in rows if group is not None)
        return by_job, by_group

    def claimable(self, now: Micros, limit: int) -> list[Run]:
        """Queued runs, and waiting ones whose `not_before` has come; by priority (high first), then age."""
        rows = self._session.all(q.QUEUED, limit=limit) + self._session.all(q.AWAKE, now=now, limit=limit)
        ready = sorted(_runs(rows), key=lambda run: (-run.priority, run.queued_at, run.id))
        return ready[:limit]

    def next_wake(self) -> Micros | None:
        """The soonest `not_before` of the waiting runs."""
        instant: Micros | None = self._session.value(q.NEXT_WAKE)
        return instant

    def claim(self, run_id: str, owner: str, now: Micros, lease_until: Micros) -> Run | None:
        """Queued, or waiting with its time come -> running with token + 1; None when another was first."""
        row = self._session.one(
            q.CLAIM,
            run_id=run_id,
            new_owner=owner,
            now=now,
            until=lease_until,
            code="claimed",
            text="at work",
        )
        return None if row is None else _run(row)

    def renew(self, owner: str, lease_until: Micros) -> int:
        """Extend the lease of every running run of that owner; how many there are."""
        return self._session.change(q.RENEW, of_owner=owner, until=lease_until)

    def running(self, owner: str | None = None) -> list[Run]:
        """Running runs (of that owner), oldest first."""
        if owner is None:
            return _oldest_first(self._session.all(q.RUNNING))
        return _oldest_first(self._session.all(q.RUNNING_OF, of_owner=owner))

    def release(
        self,
        run: Run,
        now: Micros,  # noqa: ARG002 - the contract's; a run given back has no instant of its own to keep
        reason: Reason,
        *,
        state: RunState = RunState.QUEUED,
        not_before: Micros | None = None,
    ) -> None:
        """Give the run of `run.token` back, to the queue or to waiting."""
        _check(run, state, TRANSITIONS[RunState.RUNNING] - FINAL - {RunState.RUNNING})
        released = self._session.change(
            q.RELEASE,
            run_id=run.id,
            held=run.token,
            new_state=state,
            code=reason.code,
            text=reason.text,
            wake_at=not_before,
        )
        _held(run, released)

    def finish(
        self, run: Run, state: RunState, reason: Reason, now: Micros, outputs: Mapping[str, Any]
    ) -> None:
        """End the run of `run.token`."""
        _check(run, state, FINAL)
        finished = self._session.change(
            q.FINISH,
            run_id=run.id,
            held=run.token,
            new_state=state,
            code=reason.code,
            text=reason.text,
            now=now,
            values=to_json(outputs),
        )
        _held(run, finished)

    def request_cancel(self, run_id: str, now: Micros) -> RunState | None:
        """Ask for an end: queued and waiting runs end at once, a running one is told.

        The state before; None: no such run.
        """
        state = self._session.value(q.STATE, run_id=run_id)
        if state is None:
            return None
        before = RunState(state)
        if before is RunState.RUNNING:
            self._session.change(q.TELL_TO_CANCEL, run_id=run_id)
        elif before not in FINAL:
            self._session.change(
                q.CANCEL, run_id=run_id, before=before, now=now, code="cancelled", text="cancelled on request"
            )
        return before

    def cancel_requests(self, owner: str) -> list[str]:
        """Ids of the running runs of that owner that are to end."""
        return [run_id for (run_id,) in self._session.all(q.CANCEL_REQUESTS, of_owner=owner)]

    def steps(self, run_id: str) -> list[StepRun]:
        """By index."""
        return self._steps.of(run_id)

    def put_step(self, run: Run, step: StepRun) -> None:
        """Insert or replace a step of the run of `run.token`."""
        _held(run, self._steps.put(run, step))

    def attempts(self, run_id: str, step_id: str | None = None) -> list[Attempt]:
        """By start."""
        return self._steps.attempts(run_id, step_id)

    def put_attempt(self, run: Run, attempt: Attempt) -> None:
        """Insert or replace by (step, number), for the run of `run.token`."""
        _held(run, self._steps.put_attempt(run, attempt))

    def answer_step(self, run_id: str, step: StepRun, now: Micros) -> bool:  # noqa: ARG002 - the contract's
        """Give a waiting step its result and queue the run again; False when it does not wait.

        Where a run waits for several answers, the second may come while the first has queued it.
        """
        if not self._steps.answer(run_id, step):
            return False
        self._session.change(
            q.REQUEUE, run_id=run_id, code="answered", text=f"step {step.step_id} has its answer"
        )
        return True

    def failures_in_a_row(self, job_id: str) -> int:
        """Runs that failed since the latest one that succeeded; cancelled and interrupted ones say nothing."""
        return int(self._session.value(q.FAILURES_IN_A_ROW, job_id=job_id))

    def previous(self, job_id: str, before: str) -> Run | None:
        """The latest run of the job, other than `before`, that succeeded or failed."""
        row = self._session.one(q.PREVIOUS, job_id=job_id, before=before)
        return None if row is None else _run(row)

    def prune(self, job_id: str, keep: int, older_than: Micros, limit: int) -> list[str]:
        """Delete up to `limit` finished runs beyond the newest `keep` or older than that; their ids."""
        rows = self._session.all(q.TO_PRUNE, job_id=job_id, keep=keep, older_than=older_than, limit=limit)
        for (run_id,) in rows:
            self._session.change(q.DELETE, run_id=run_id)
        return [run_id for (run_id,) in rows]


def _runs(rows: list[Row]) -> list[Run]:
    return [_run(row) for row in rows]


def _oldest_first(rows: list[Row]) -> list[Run]:
    return sorted(_runs(rows), key=lambda run: (run.queued_at, run.id))


def _check(run: Run, state: RunState, allowed: frozenset[RunState]) -> None:
    if state not in allowed:
        raise ConflictError(
            f"run {run.id} cannot go from running to {state} here",
            hint=f"allowed: {', '.join(sorted(allowed))}",
        )


def _held(run: Run, changed: int) -> None:
    if not changed:
        raise LostClaimError(
            f"run {run.id} is no longer ours (token {run.token})",
            hint="another process owns it, or it ended: stop working on it",
        )


def _values(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "job_id": run.job_id,
        "state": run.state,
        "definition": run.definition,
        "queued_at": run.queued_at,
        "trigger_id": run.trigger_id,
        "occurrence_key": run.occurrence_key,
        "due_at": run.due_at,
        "reason_code": run.reason.code,
        "reason_text": run.reason.text,
        "inputs": to_json(run.inputs),
        "concurrency_group": run.group,
        "priority": run.priority,
        "token": run.token,
        "owner": run.owner,
        "lease_until": run.lease_until,
        "not_before": run.not_before,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "cancel_requested": run.cancel_requested,
        "outputs": to_json(run.outputs),
    }


def _run(row: Row) -> Run:
    id_, job_id, state, definition, queued_at, trigger_id, occurrence_key, due_at, *rest = row
    code, text, inputs, group, priority, token, owner, lease_until, *times, cancel_requested, outputs = rest
    not_before, started_at, finished_at = times
    return Run(
        id_,
        job_id,
        RunState(state),
        definition,
        queued_at,
        trigger_id,
        occurrence_key,
        due_at,
        Reason(code, text),
        from_json(inputs),
        group,
        priority,
        token,
        owner,
        lease_until,
        not_before,
        started_at,
        finished_at,
        bool(cancel_requested),
        from_json(outputs),
    )
