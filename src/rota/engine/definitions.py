"""Jobs and schedules by their text, read once and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import lru_cache

from rota.model.errors import NotFoundError
from rota.model.instants import from_micros
from rota.model.job import Job
from rota.model.ledger import JobRecord, TriggerRecord
from rota.model.run import Run
from rota.ports.store import Store, Tx
from rota.schedule import Schedule, parse
from rota.spec import from_json


@lru_cache(maxsize=4096)
def _schedule(text: str, timezone: str, anchor: int | None) -> Schedule:
    return parse(text, timezone, None if anchor is None else from_micros(anchor))


def schedule_of(trigger: TriggerRecord) -> Schedule:
    """The schedule of a time trigger. Raises ScheduleError."""
    return _schedule(trigger.text, trigger.timezone, trigger.anchor)


class Definitions:
    """Job definitions by hash. A hash never changes its meaning, so nothing is ever stale."""

    def __init__(self, store: Store, keep: int = 2048) -> None:
        self._store = store
        self._keep = keep
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.Lock()  # the writer's thread asks too

    def get(self, hash_: str, tx: Tx | None = None) -> Job:
        """The job of that hash. Raises NotFoundError when the store does not have it."""
        known = self._find(hash_)
        if known is not None:
            return known
        text = (
            tx.jobs.definition(hash_)
            if tx is not None
            else self._store.read(lambda t: t.jobs.definition(hash_))
        )
        if text is None:
            raise NotFoundError(f"no definition {hash_} in the store", hint="run `rota doctor`")
        return self._keep_job(hash_, text)

    def of_record(self, record: JobRecord) -> Job:
        """The job as its record has it."""
        return self._find(record.hash) or self._keep_job(record.hash, record.definition)

    def _find(self, hash_: str) -> Job | None:
        with self._lock:
            if hash_ in self._jobs:
                self._jobs.move_to_end(hash_)
            return self._jobs.get(hash_)

    def _keep_job(self, hash_: str, text: str) -> Job:
        job = from_json(text)
        with self._lock:
            self._jobs[hash_] = job
            if len(self._jobs) > self._keep:
                self._jobs.popitem(last=False)
        return job

    def of_run(self, run: Run) -> Job:
        """The definition that a run executes, whatever the job's file says by now."""
        return self.get(run.definition)
