"""The journal of a run: its steps and their attempts, written only by the holder of the run's token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rota.model.run import Attempt, Reason, Run, StepRun, StepState
from rota.store.sql import Row, Session, from_json, reason_of, to_json
from rota.store.statements import queries

if TYPE_CHECKING:
    from rota.store import step_queries as q
else:
    q = queries("step_queries")


class Steps:
    """The part of `ports.store.RunsTable` that is about steps and attempts; writing says how many rows it wrote."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, run_id: str) -> list[StepRun]:
        """By index."""
        return [_step(row) for row in self._session.all(q.STEPS, run_id=run_id)]

    def put(self, run: Run, step: StepRun) -> int:
        """Insert or replace; 0 when the run's state or token is another."""
        return self._session.change(
            q.PUT_STEP,
            run_id=run.id,
            step_id=step.step_id,
            held=run.token,
            held_as=run.state,
            **_step_values(step),
        )

    def answer(self, run_id: str, step: StepRun) -> int:
        """Replace a waiting step of a run that nobody holds; 0 when it is not so."""
        return self._session.change(q.ANSWER, run=run_id, step=step.step_id, **_step_values(step))

    def attempts(self, run_id: str, step_id: str | None) -> list[Attempt]:
        """By start."""
        if step_id is None:
            rows = self._session.all(q.ALL_ATTEMPTS, run_id=run_id)
        else:
            rows = self._session.all(q.ATTEMPTS_OF_STEP, run_id=run_id, step_id=step_id)
        return [_attempt(row) for row in rows]

    def put_attempt(self, run: Run, attempt: Attempt) -> int:
        """Insert or replace by (step, number); 0 when the run's state or token is another."""
        return self._session.change(
            q.PUT_ATTEMPT,
            run_id=run.id,
            held=run.token,
            held_as=run.state,
            step_id=attempt.step_id,
            number=attempt.number,
            state=attempt.state,
            started_at=attempt.started_at,
            finished_at=attempt.finished_at,
            exit_code=attempt.exit_code,
            **_reason_values(attempt.reason),
            excerpt=attempt.excerpt,
            log=attempt.log,
            output_bytes=attempt.output_bytes,
            truncated=attempt.truncated,
        )


def _reason_values(reason: Reason | None) -> dict[str, str | None]:
    return {
        "reason_code": None if reason is None else reason.code,
        "reason_text": None if reason is None else reason.text,
    }


def _step_values(step: StepRun) -> dict[str, Any]:
    return {
        "position": step.index,
        "state": step.state,
        "attempts": step.attempts,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        "retry_at": step.retry_at,
        **_reason_values(step.reason),
        "output": step.output,
        "outputs": to_json(step.values),
    }


def _step(row: Row) -> StepRun:
    run_id, step_id, index, state, tries, started_at, finished_at, retry_at, code, text, output, values = row
    return StepRun(
        run_id,
        step_id,
        index,
        StepState(state),
        tries,
        started_at,
        finished_at,
        retry_at,
        reason_of(code, text),
        output,
        from_json(values),
    )


def _attempt(row: Row) -> Attempt:
    run_id, step_id, number, state, started_at, finished_at, exit_code, code, text, *printed = row
    excerpt, log, output_bytes, truncated = printed
    return Attempt(
        run_id,
        step_id,
        number,
        StepState(state),
        started_at,
        finished_at,
        exit_code,
        reason_of(code, text),
        excerpt,
        log,
        output_bytes,
        bool(truncated),
    )
