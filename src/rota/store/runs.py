"""Runs: reading them, and the state machine that every change obeys.

Whoever executes a run holds its token. Each change by the holder names the token and the state
`running` in its condition, so a holder that was replaced in the meantime changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rota.model.errors import ConflictError, LostClaimError
from rota.model.instants import Micros
from rota.model.run import ACTIVE, FINAL, TRANSITIONS, Attempt, Reason, Run, RunState, StepRun
from rota.store.sql import Row, Session, from_json, list_to_json, to_json
from rota.store.statements import queries
from rota.store.steps import Steps

if TYPE_CHECKING:
    from rota.store import run_queries as q
else:
    q = queries("run_queries")

_EVER = -(2**63)  # before every instant
_STATES: Mapping[str, RunState] = {
    state.value: state for state in RunState
}  # a tenth of an enumeration's own look-up


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
        literally = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
        return _runs(self._session.all(q.FIND, beginning=f"{literally}%", end=f"%{literally}"))

    def recent(
        self,
        *,
        job_id: str | None = None,
        states: Iterable[RunState] | None = None,
        limit: int = 50,
        since: Micros | None = None,
    ) -> list[Run]:
        """Latest first by `queued_at`."""
        values: dict[str, Any] = {"limit": limit, "since": _EVER if since is None else since}
        if job_id is not None:
            values["job_id"] = job_id
        if states is None:
            statement = q.RECENT if job_id is None else q.RECENT_OF
        else:
            wanted = frozenset(states)
            values["states"] = list_to_json(sorted(wanted))
            few = q.RECENT_ACTIVE_IN if wanted <= ACTIVE else q.RECENT_IN
            statement = few if job_id is None else q.RECENT_OF_IN
        return _runs(self._session.all(statement, **values))

    def latest(self) -> Mapping[str, Run]:
        """The latest run of every job, by job id."""
        return {run.job_id: run for run in _runs(self._session.all(q.LATEST))}

    def active(self, job_id: str) -> list[Run]:
        """Queued, running and waiting runs of a job, oldest first."""
        return _oldest_first(self._session.all(q.ACTIVE, job_id=job_id))

    def active_jobs(self) -> frozenset[str]:
        """Ids of the jobs that have active runs."""
        return frozenset(job_id for (job_id,) in self._session.all(q.ACTIVE_JOBS))

    def active_counts(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """Number of *running* runs by job id, and by concurrency group."""
        rows = self._session.all(q.RUNNING_GROUPS)
        by_job = Counter(job_id for job_id, _ in rows)
        by_group = Counter(group for _, group in rows if group is not None)
        return by_job, by_group

    def claimable(self, now: Micros, limit: int, jobs: Collection[str] | None = None) -> list[Run]:
        """Queued runs, and waiting ones whose `not_before` has come (of these jobs); by priority (high first), then age."""
        if jobs is not None:
            names = list_to_json(sorted(jobs))
            rows = self._session.all(q.QUEUED_OF, limit=limit, jobs=names)
            rows += self._session.all(q.AWAKE_OF, now=now, limit=limit, jobs=names)
        else:
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

    def running_count(self, owner: str) -> int:
        """How many running runs that owner has."""
        return int(self._session.value(q.RUNNING_COUNT, of_owner=owner))

    def release(
        self,
        run: Run,
        now: Micros,  # noqa: ARG002 - the contract's; a run given back has no instant of its own to keep
        reason: Reason,
        *,
        state: RunState = RunState.QUEUED,
        not_before: Micros | None = None,
    ) -> None:
        """Give the run of `run.token` back: to the queue, to waiting, or to its end, if that was asked for."""
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
        """End the run that is still as `run` says: in its state, under its token."""
        _check(run, state, TRANSITIONS[run.state] & FINAL)
        finished = self._session.change(
            q.FINISH,
            run_id=run.id,
            held=run.token,
            held_as=run.state,
            new_state=state,
            code=reason.code,
            text=reason.text,
            now=now,
            values=to_json(outputs),
        )
        _held(run, finished)

    def request_cancel(self, run_id: str, reason: Reason) -> RunState | None:
        """Ask for an end, for a reason that the run shows from now on; the state before (None: no such run).

        A queued or waiting one waits for its end from then on: see `to_end`.
        """
        state = self._session.value(q.STATE, run_id=run_id)
        if state is None:
            return None
        self._session.change(q.REQUEST_CANCEL, run_id=run_id, code=reason.code, text=reason.text)
        return RunState(state)

    def to_end(self) -> list[Run]:
        """Runs whose end was asked for and that nobody executes, oldest first."""
        return _oldest_first(self._session.all(q.TO_END))

    def cancel_requests(self, owner: str) -> list[str]:
        """Ids of the running runs of that owner that are to end."""
        return [run_id for (run_id,) in self._session.all(q.CANCEL_REQUESTS, of_owner=owner)]

    def steps(self, run_id: str) -> list[StepRun]:
        """By index."""
        return self._steps.of(run_id)

    def put_step(self, run: Run, step: StepRun) -> None:
        """Insert or replace a step of the run that is still as `run` says: in its state, under its token."""
        _held(run, self._steps.put(run, step))

    def attempts(self, run_id: str, step_id: str | None = None) -> list[Attempt]:
        """By start."""
        return self._steps.attempts(run_id, step_id)

    def put_attempt(self, run: Run, attempt: Attempt) -> None:
        """Insert or replace by (step, number), for the run that is still as `run` says."""
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

    def failures_in_a_row(self, job_id: str, *, since: Micros = 0) -> int:
        """Runs that failed since the latest one that succeeded; cancelled and interrupted ones say nothing."""
        return int(self._session.value(q.FAILURES_IN_A_ROW, job_id=job_id, since=since))

    def previous(self, job_id: str, before: str) -> Run | None:
        """The latest run of the job, other than `before`, that succeeded or failed."""
        row = self._session.one(q.PREVIOUS, job_id=job_id, before=before)
        return None if row is None else _run(row)

    def lengths(self, job_id: str, limit: int) -> list[Micros]:
        """How long the latest runs of the job that succeeded took, latest first."""
        rows = self._session.all(q.LENGTHS, job_id=job_id, limit=limit)
        return [length for (length,) in rows if length is not None]

    def with_outdated(self, keep: int, older_than: Micros) -> list[str]:
        """Ids of the jobs that may have `outdated` runs."""
        return [job_id for (job_id,) in self._session.all(q.WITH_OUTDATED, keep=keep, older_than=older_than)]

    def outdated(self, job_id: str, keep: int, older_than: Micros, limit: int) -> list[str]:
        """Ids of up to `limit` finished runs beyond the newest `keep` or older than that, oldest first."""
        rows = self._session.all(q.OUTDATED, job_id=job_id, keep=keep, older_than=older_than, limit=limit)
        return [run_id for (run_id,) in rows]

    def oldest(self, older_than: Micros, limit: int) -> list[str]:
        """Ids of up to `limit` finished runs queued before that, oldest first; never the newest one of a job."""
        return [run_id for (run_id,) in self._session.all(q.OLDEST, older_than=older_than, limit=limit)]

    def owners_of_logs(self, run_ids: Sequence[str]) -> Mapping[str, tuple[str, bool]]:
        """Job id of each run that is in the state, and whether it is finished."""
        rows = {run_id: self._session.one(q.JOB_AND_STATE, run_id=run_id) for run_id in run_ids}
        return {run_id: (row[0], RunState(row[1]) in FINAL) for run_id, row in rows.items() if row}

    def prune(self, run_ids: Sequence[str]) -> None:
        """Delete finished runs with their journals."""
        for run_id in run_ids:
            self._session.change(q.DELETE, run_id=run_id)


def _runs(rows: list[Row]) -> list[Run]:
    return [_run(row) for row in rows]


def _oldest_first(rows: list[Row]) -> list[Run]:
    return sorted(_runs(rows), key=lambda run: (run.queued_at, run.id))


def _check(run: Run, state: RunState, allowed: frozenset[RunState]) -> None:
    if state not in allowed:
        raise ConflictError(
            f"run {run.id} cannot go from {run.state} to {state} here",
            hint=f"allowed: {', '.join(sorted(allowed)) or 'nothing'}",
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
        _STATES[state],
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
