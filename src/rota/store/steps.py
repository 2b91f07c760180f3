"""The journal of a run: its steps and their attempts, written only by the holder of the run's token."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Insert, Select, Table, bindparam, exists, select, update

from rota.model.run import Attempt, Reason, Run, RunState, StepRun, StepState
from rota.store.schema import attempts, runs, steps
from rota.store.sql import (
    Row,
    Session,
    Statement,
    columns,
    constant,
    constants,
    from_json,
    here,
    param,
    reason_of,
    to_json,
    upsert,
)


def _fenced(table: Table) -> Insert:
    """An upsert that writes nothing unless the run is running under the token :held."""
    row: Select[Any] = select(*(bindparam(column.name, type_=column.type) for column in table.c)).where(
        here(runs),
        runs.c.id == param("run_id"),
        runs.c.token == param("held"),
        runs.c.state == constant(RunState.RUNNING),
    )
    return upsert(table, row)


_STEPS = Statement(
    lambda: (
        select(*columns(steps))
        .where(here(steps), steps.c.run_id == param("run_id"))
        .order_by(steps.c.position, steps.c.step_id)
    )
)
_PUT_STEP = Statement(lambda: _fenced(steps))
# Nobody holds a run that is waiting or queued, so its journal may be written without a token.
_ANSWER = Statement(
    lambda: (
        update(steps)
        .where(
            here(steps),
            steps.c.run_id == param("run"),
            steps.c.step_id == param("step"),
            steps.c.state == constant(StepState.WAITING),
            exists().where(
                here(runs),
                runs.c.id == param("run"),
                runs.c.state.in_(constants(RunState.WAITING, RunState.QUEUED)),
            ),
        )
        .values({c.name: bindparam(c.name) for c in steps.c if not c.primary_key})
    )
)
_ATTEMPTS = (
    select(*columns(attempts))
    .where(here(attempts), attempts.c.run_id == param("run_id"))
    .order_by(attempts.c.started_at, attempts.c.step_id, attempts.c.number)
)
_ALL_ATTEMPTS = Statement(lambda: _ATTEMPTS)
_ATTEMPTS_OF_STEP = Statement(lambda: _ATTEMPTS.where(attempts.c.step_id == param("step_id")))
_PUT_ATTEMPT = Statement(lambda: _fenced(attempts))


class Steps:
    """The part of `ports.store.RunsTable` that is about steps and attempts; writing says how many rows it wrote."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, run_id: str) -> list[StepRun]:
        """By index."""
        return [_step(row) for row in self._session.all(_STEPS, run_id=run_id)]

    def put(self, run: Run, step: StepRun) -> int:
        """Insert or replace; 0 when the run's token is another."""
        return self._session.change(
            _PUT_STEP, run_id=run.id, step_id=step.step_id, held=run.token, **_step_values(step)
        )

    def answer(self, run_id: str, step: StepRun) -> int:
        """Replace a waiting step of a run that nobody holds; 0 when it is not so."""
        return self._session.change(_ANSWER, run=run_id, step=step.step_id, **_step_values(step))

    def attempts(self, run_id: str, step_id: str | None) -> list[Attempt]:
        """By start."""
        if step_id is None:
            rows = self._session.all(_ALL_ATTEMPTS, run_id=run_id)
        else:
            rows = self._session.all(_ATTEMPTS_OF_STEP, run_id=run_id, step_id=step_id)
        return [_attempt(row) for row in rows]

    def put_attempt(self, run: Run, attempt: Attempt) -> int:
        """Insert or replace by (step, number); 0 when the run's token is another."""
        return self._session.change(
            _PUT_ATTEMPT,
            run_id=run.id,
            held=run.token,
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
