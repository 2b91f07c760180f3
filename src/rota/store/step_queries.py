"""The statements of `steps.py`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Insert, Select, Table, bindparam, exists, select, update

from rota.model.run import ACTIVE, RunState, StepState
from rota.store.core import columns, constant, constants, here, param, statement, upsert
from rota.store.schema import attempts, runs, steps


def _fenced(table: Table) -> Insert:
    """An upsert that writes nothing unless the run is active, in the state :held_as, under the token :held."""
    row: Select[Any] = select(*(bindparam(column.name, type_=column.type) for column in table.c)).where(
        here(runs),
        runs.c.id == param("run_id"),
        runs.c.token == param("held"),
        runs.c.state == param("held_as"),
        runs.c.state.in_(constants(*sorted(ACTIVE))),  # the journal of what has ended is closed
    )
    return upsert(table, row)


STEPS = statement(
    lambda: (
        select(*columns(steps))
        .where(here(steps), steps.c.run_id == param("run_id"))
        .order_by(steps.c.position, steps.c.step_id)
    )
)
PUT_STEP = statement(lambda: _fenced(steps))
# Nobody holds a run that is waiting or queued, so its journal may be written without a token.
ANSWER = statement(
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
ALL_ATTEMPTS = statement(lambda: _ATTEMPTS)
ATTEMPTS_OF_STEP = statement(lambda: _ATTEMPTS.where(attempts.c.step_id == param("step_id")))
PUT_ATTEMPT = statement(lambda: _fenced(attempts))
