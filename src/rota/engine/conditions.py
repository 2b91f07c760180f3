"""Whether a call that a trigger makes becomes a run, and when: the job's `if:`, `window:` and `not_during:`."""

from __future__ import annotations

from dataclasses import replace

from rota.engine.queueing import Call, default_params
from rota.model.errors import RotaError
from rota.model.instants import Micros
from rota.model.job import Window
from rota.model.ledger import Outcome
from rota.model.run import Reason
from rota.ports.store import Tx
from rota.schedule import Gate, Span, local_time, read_spans
from rota.templates import evaluate, truth


def screened(tx: Tx, call: Call, timezone: str, now: Micros) -> Call:
    """The call as the job's condition and windows leave it: as it was, skipped, or put off."""
    return through_gates(under_condition(tx, call, timezone, now), timezone, now)


def through_gates(call: Call, timezone: str, now: Micros) -> Call:
    """The call, put off to when its job may start, or skipped, as `window:` and `not_during:` say."""
    job = call.job
    if call.verdict is not Outcome.RAN or (job.window is None and job.not_during is None):
        return call
    gate = Gate(_spans(job.window), _spans(job.not_during))
    start = now + call.wait
    closed = gate.closed_by(start, timezone)
    if closed is None:
        return call
    policy = job.not_during if closed.startswith("not_during") else job.window
    opening = None if policy is not None and policy.skip else gate.opens_at(start, timezone)
    if opening is None:
        return replace(call, verdict=Outcome.SKIPPED, reason=Reason("window", closed))
    until = f"{local_time(opening, timezone):%a %-d %b %H:%M}"
    return replace(call, wait=opening - now, wait_reason=Reason("window", f"{closed}: put off to {until}"))


def _spans(window: Window | None) -> tuple[Span, ...]:
    return () if window is None else read_spans(window.times)


def under_condition(tx: Tx, call: Call, timezone: str, now: Micros) -> Call:
    """The call, skipped when its job's `if:` is false; a condition that raises fails the run, not the caller."""
    condition = call.job.condition
    if condition is None or call.verdict is not Outcome.RAN:
        return call
    previous = tx.runs.previous(call.job.id, "")
    moment = local_time(now, timezone)
    values = {
        "job": {"id": call.job.id, "name": call.job.name, "description": call.job.description},
        "now": moment,
        "today": moment.date(),
        "timezone": timezone,
        "occurrence": {"key": call.key, "due_at": local_time(call.due_at, timezone)},
        "previous": None if previous is None else {"id": previous.id, "state": previous.state.value},
        "params": default_params(call.job),
        "payload": {},
        "headers": {},
        "query": {},
        **call.inputs,
    }
    try:
        met = truth(evaluate(condition, values))
    except RotaError as error:
        return replace(call, inputs={**call.inputs, "condition_error": str(error)})
    if met:
        return call
    return replace(call, verdict=Outcome.SKIPPED, reason=Reason("condition", f"`if: {condition}` was false"))
