"""Chains: jobs that start after another job (`on: {job: other, when: succeeded}`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from rota.engine.conditions import screened
from rota.engine.definitions import Definitions
from rota.engine.queueing import Call
from rota.model.instants import Micros
from rota.model.run import Reason, Run, RunState
from rota.ports.store import Tx

log = structlog.get_logger("rota.chains")
_WHEN = {
    RunState.SUCCEEDED: {"succeeded", "finished"},
    RunState.FAILED: {"failed", "finished"},
    RunState.CANCELLED: {"finished"},
}


def followers(
    tx: Tx, run: Run, state: RunState, *, outputs: Mapping[str, Any], definitions: Definitions, now: Micros
) -> list[Call]:
    """The calls that the end of `run` makes; the follower's payload is what the run put out."""
    calls: list[Call] = []
    for record in tx.jobs.all():
        if record.paused_at is not None or not record.enabled or '"job"' not in record.definition:
            continue
        try:
            job = definitions.get(record.hash, tx)
        except Exception:  # another job's bad definition must not undo the end of this run
            log.exception("definition_failed", job=record.id)
            continue
        for trigger in job.triggers:
            when = str(trigger.options.get("when", "succeeded"))
            if trigger.kind == "job" and trigger.text == run.job_id and when in _WHEN.get(state, ()):
                payload = {"job": run.job_id, "run": run.id, "state": state.value, **outputs}
                reason = Reason("after_job", f"{run.job_id} {state.value} (run {run.id})")
                call = Call(
                    job, record.hash, trigger.id, now, reason, key=run.id, inputs={"payload": payload}
                )
                calls.append(screened(tx, call, record.timezone, now))
    return calls
