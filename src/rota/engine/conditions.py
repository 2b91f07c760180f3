"""Whether a call that a trigger makes becomes a run, and when: the job's `if:`, `window:` and `not_during:`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rota.engine.environment import values_before_run
from rota.engine.queueing import Call, default_params
from rota.model.errors import RotaError
from rota.model.instants import Micros
from rota.model.ledger import Outcome
from rota.model.run import Reason
from rota.planning.gates import gate_of, passage
from rota.ports.store import Tx
from rota.templates import evaluate, truth


def screened(tx: Tx, call: Call, timezone: str, now: Micros, workspace: Mapping[str, str]) -> Call:
    """The call as the job's condition and windows leave it: as it was, skipped, or put off.

    `workspace`: see environment.workspace_value.
    """
    return through_gates(under_condition(tx, call, timezone, now, workspace), timezone, now)


def through_gates(call: Call, timezone: str, now: Micros) -> Call:
    """The call, put off to when its job may start, or skipped, as `window:` and `not_during:` say."""
    gate = gate_of(call.job) if call.verdict is Outcome.RAN else None
    if gate is None:
        return call
    passed = passage(call.job, gate, now + call.wait, timezone)
    if passed.reason is None:
        return call
    if passed.start is None:
        return replace(call, verdict=Outcome.SKIPPED, reason=passed.reason)
    return replace(call, wait=passed.start - now, wait_reason=passed.reason)


def under_condition(tx: Tx, call: Call, timezone: str, now: Micros, workspace: Mapping[str, str]) -> Call:
    """The call, skipped when its job's `if:` is false; a condition that raises fails the run, not the caller."""
    condition = call.job.condition
    if condition is None or call.verdict is not Outcome.RAN:
        return call
    values = values_before_run(
        call.job,
        inputs={"params": default_params(call.job), **call.inputs},
        key=call.key,
        due_at=call.due_at,
        now=now,
        timezone=timezone,
        workspace=workspace,
        previous=tx.runs.previous(call.job.id, ""),
    )
    try:
        met = truth(evaluate(condition, values))
    except RotaError as error:
        return replace(call, inputs={**call.inputs, "condition_error": str(error)})
    if met:
        return call
    return replace(call, verdict=Outcome.SKIPPED, reason=Reason("condition", f"`if: {condition}` was false"))
