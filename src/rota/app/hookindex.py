"""Which jobs a hook's name starts: kept as jobs are put and removed, so that a request looks one row up."""

from __future__ import annotations

from collections.abc import Collection

from rota.model.instants import Micros
from rota.model.job import Job
from rota.model.ledger import JobRecord
from rota.ports.logger import Logger
from rota.ports.store import Tx
from rota.spec import from_json

log = Logger("rota.hooks")
# The cursor without a name says that the index is there: a state of an earlier version has none.
_INDEX = "hooks"
_KIND = '"kind":"webhook"'


def names_of(job: Job) -> frozenset[str]:
    """The hooks that start a job."""
    return frozenset(trigger.text for trigger in job.triggers if trigger.kind == "webhook")


def names_before(record: JobRecord | None) -> frozenset[str]:
    """The same of a job of the registry; none when it was removed, or cannot be read."""
    if record is None or record.removed_at is not None or _KIND not in record.definition:
        return frozenset()
    try:
        return names_of(from_json(record.definition))
    except Exception:
        log.exception("definition_failed", job=record.id)
        return frozenset()


def note_hooks(tx: Tx, job_id: str, before: Collection[str], after: Collection[str], now: Micros) -> None:
    """Keep the index: the job had the hooks `before`, and has `after` from now on."""
    for name in set(before) ^ set(after):
        known = set(tx.cursors.get(f"{_INDEX}:{name}") or ())
        known = known | {job_id} if name in after else known - {job_id}
        tx.cursors.put(f"{_INDEX}:{name}", sorted(known), now)


def has_index(tx: Tx) -> bool:
    """Whether the state has one."""
    return tx.cursors.get(_INDEX) is not None


def make_index(tx: Tx, now: Micros) -> None:
    """Of a state that has none yet."""
    if has_index(tx):
        return
    for record in tx.jobs.all():
        note_hooks(tx, record.id, (), names_before(record), now)
    tx.cursors.put(_INDEX, now, now)


def jobs_of(tx: Tx, name: str) -> list[JobRecord]:
    """The jobs that have a hook of that name, by id; more than one is a mistake of their author."""
    records = [tx.jobs.get(job_id) for job_id in tx.cursors.get(f"{_INDEX}:{name}") or ()]
    return [record for record in records if record is not None and record.removed_at is None]


def all_with_hooks(tx: Tx) -> list[JobRecord]:
    """Every job that has one."""
    return [record for record in tx.jobs.all() if _KIND in record.definition]
