"""Many runs of one job, queued together: one for each set of parameters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from rota.app.commands import typed_params
from rota.app.control import nudge
from rota.app.queries import find_job
from rota.app.wiring import App
from rota.engine.queueing import Call, default_params, new_runs, queue
from rota.model.errors import NotFoundError, RotaError
from rota.model.job import Job, Overlap
from rota.model.run import Reason
from rota.ports.bulk import NewRun
from rota.ports.store import Tx
from rota.spec import from_json

BATCH = 500  # runs to a transaction: another process waits no longer than some milliseconds for its turn
BY_HAND = Reason("manual", "started by hand")


def run_each(app: App, job_id: str, each: Iterable[Mapping[str, Any]]) -> list[str]:
    """Queue a run of the job for each set of parameters; the ids of the runs, in that order.

    What `overlap:` does not let in is left out. Raises NotFoundError; RotaError for parameters that are
    missing, unknown or of the wrong type, before anything is queued.
    """
    record = find_job(app, job_id)
    if record.removed_at is not None:
        raise NotFoundError(f"the job `{job_id}` was removed", hint="see what there is: rota list")
    job = from_json(record.definition)
    ids: list[str] = []
    for batch in _batches(_all_inputs(job, each)):
        now = app.clock.now()
        calls = [Call(job, record.hash, "manual", now, BY_HAND, inputs=given) for given in batch]
        if job.overlap is Overlap.ALLOW:  # made before the transaction, in which others have to wait
            new = new_runs(calls, now)
            app.store.write_now(partial(_queue_freely, new=new))
            ids += [row.run_id for row in new]
        else:
            ids += app.store.write_now(partial(_queue, calls=calls, now=now))
        nudge(app.layout)
    return ids


def read_lines(text: str) -> list[Mapping[str, Any]]:
    """Sets of parameters from JSON lines. Raises RotaError naming the line."""
    found: list[Mapping[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise _bad_line(number, f"is not JSON ({error})") from None
        if not isinstance(value, dict):
            raise _bad_line(number, f"is a {type(value).__name__}, not an object")
        found.append(value)
    return found


def _bad_line(number: int, what: str) -> RotaError:
    return RotaError(
        f"line {number} {what}", hint='a line for each run, such as {"city": "Oslo"}', code="bad_param"
    )


def _all_inputs(job: Job, each: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each run is given; one and the same for those that are given nothing."""
    nothing: dict[str, Any] | None = None
    found: list[dict[str, Any]] = []
    for number, given in enumerate(each, 1):
        if given:
            found.append(_inputs(job, number, given))
        else:
            nothing = nothing or _inputs(job, number, given)
            found.append(nothing)
    return found


def _inputs(job: Job, number: int, given: Mapping[str, Any]) -> dict[str, Any]:
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
    try:
        return {"params": {**default_params(job), **typed_params(job, texts)}}
    except RotaError as error:
        raise RotaError(f"run {number}: {error.message}", hint=error.hint, code=error.code) from None


def _batches(inputs: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    left = iter(inputs)
    while batch := list(islice(left, BATCH)):
        yield batch


def _queue_freely(tx: Tx, new: Sequence[NewRun]) -> None:
    tx.bulk.queue(new)


def _queue(tx: Tx, calls: Sequence[Call], now: int) -> list[str]:
    queued = (queue(tx, call, now)[0] for call in calls)
    return [run.id for run in queued if run is not None]
