"""Chains: jobs that start after another job (`on: {job: other, when: succeeded}`)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from rota.engine.conditions import screened
from rota.engine.definitions import Definitions
from rota.engine.queueing import Call, at_rest
from rota.model.instants import Micros
from rota.model.job import Trigger
from rota.model.ledger import JobRecord, Outcome
from rota.model.run import Reason, Run, RunState
from rota.planning.chains import MAX_DEPTH, upstreams
from rota.ports.logger import Logger
from rota.ports.store import Tx
from rota.spec import from_json

log = Logger("rota.chains")
_WHEN = {
    RunState.SUCCEEDED: {"succeeded", "finished"},
    RunState.FAILED: {"failed", "finished"},
    RunState.CANCELLED: {"finished"},
}
# The key of a run's inputs that says how many runs, each after another, came before it.
DEPTH = "depth"
# Who follows whom is kept by the followed job, in the transaction that puts or removes the follower: the end of a
# run looks one row up, however many jobs there are. The cursor without a job says that this has been done.
_INDEX = "followers"


def followers(
    tx: Tx,
    run: Run,
    state: RunState,
    *,
    outputs: Mapping[str, Any],
    definitions: Definitions,
    now: Micros,
    workspace: Mapping[str, str],
) -> list[Call]:
    """The calls that the end of `run` makes; the follower's payload is what the run put out."""
    calls: list[Call] = []
    payload = {"job": run.job_id, "run": run.id, "state": state.value, **outputs}
    depth = int(run.inputs.get(DEPTH, 0)) + 1
    for record in _following(tx, run.job_id, now):
        try:
            job = definitions.get(record.hash, tx)
        except Exception:  # another job's bad definition must not undo the end of this run
            log.exception("definition_failed", job=record.id)
            continue
        for trigger in job.triggers:
            if _follows(trigger, run.job_id, state):
                call = Call(
                    job,
                    record.hash,
                    trigger.id,
                    now,
                    Reason("after_job", f"{run.job_id} {state.value} (run {run.id})"),
                    key=run.id,
                    inputs={"payload": payload, DEPTH: depth},
                )
                why_not = at_rest(record) or _too_deep(depth)
                if why_not is not None:
                    calls.append(replace(call, verdict=Outcome.SKIPPED, reason=why_not))
                else:
                    calls.append(screened(tx, call, record.timezone, now, workspace))
    return calls


def followed(tx: Tx, job_ids: Collection[str]) -> frozenset[str]:
    """Those of these jobs that others follow."""
    names = {f"{_INDEX}:{job_id}": job_id for job_id in job_ids}
    known = tx.cursors.get_many([_INDEX, *names])
    if known.get(_INDEX) is None:  # of a state that an earlier version kept: the end of each run makes sure
        return frozenset(job_ids)
    return frozenset(names[name] for name, jobs in known.items() if name != _INDEX and jobs)


def note_upstreams(tx: Tx, job_id: str, before: Collection[str], after: Collection[str], now: Micros) -> None:
    """Keep the index: the job followed `before`, and follows `after` from now on."""
    for upstream in set(before) ^ set(after):
        known = set(_known(tx, upstream))
        known = known | {job_id} if upstream in after else known - {job_id}
        tx.cursors.put(f"{_INDEX}:{upstream}", sorted(known), now)


def begin_index(tx: Tx, now: Micros) -> None:
    """Of a registry without jobs."""
    tx.cursors.put(_INDEX, now, now)


def upstreams_of(record: JobRecord | None) -> frozenset[str]:
    """The jobs that a job of the registry follows; none when it was removed, or cannot be read."""
    # Nearly all jobs follow none, and a definition takes a hundred times as long to read as to search.
    if record is None or record.removed_at is not None or '"kind":"job"' not in record.definition:
        return frozenset()
    try:
        return upstreams(from_json(record.definition))
    except Exception:
        log.exception("definition_failed", job=record.id)
        return frozenset()


def _following(tx: Tx, job_id: str, now: Micros) -> list[JobRecord]:
    if tx.cursors.get(_INDEX) is None:
        _make_index(tx, now)
    records = [tx.jobs.get(follower) for follower in _known(tx, job_id)]
    return [record for record in records if record is not None and record.removed_at is None]


def _make_index(tx: Tx, now: Micros) -> None:
    """Of a state that an earlier version kept."""
    found: dict[str, set[str]] = {}
    for record in tx.jobs.all():
        for upstream in upstreams_of(record):
            found.setdefault(upstream, set()).add(record.id)
    for upstream, jobs in found.items():
        tx.cursors.put(f"{_INDEX}:{upstream}", sorted(jobs), now)
    tx.cursors.put(_INDEX, now, now)


def _known(tx: Tx, upstream: str) -> list[str]:
    return tx.cursors.get(f"{_INDEX}:{upstream}") or []


def _follows(trigger: Trigger, job_id: str, state: RunState) -> bool:
    when = str(trigger.options.get("when", "succeeded"))
    return trigger.kind == "job" and trigger.text == job_id and when in _WHEN.get(state, ())


def _too_deep(depth: int) -> Reason | None:
    if depth <= MAX_DEPTH:
        return None
    return Reason("chain_depth", f"{MAX_DEPTH} runs in a row started each other: no chain goes on longer")
