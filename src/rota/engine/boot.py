"""Which jobs start with the daemon (`@reboot`): a list that is kept as jobs come and go, however many there are."""

from __future__ import annotations

from rota.model.instants import Micros
from rota.model.ledger import JobRecord
from rota.ports.store import Store, Tx

_LIST = "start_with_daemon"
_MARK = '"kind":"reboot"'  # as a definition has it


def note_boot(tx: Tx, record: JobRecord, now: Micros) -> None:
    """Keep the list: this is the job from now on."""
    known: list[str] | None = tx.cursors.get(_LIST)
    if known is None:
        return  # it is made when it is asked for
    wanted = _starts(record)
    if wanted != (record.id in known):
        tx.cursors.put(_LIST, sorted({*known, record.id} if wanted else {*known} - {record.id}), now)


def begin_list(tx: Tx, now: Micros) -> None:
    """Of a registry without jobs."""
    tx.cursors.put(_LIST, [], now)


async def at_boot(store: Store, now: Micros) -> list[JobRecord]:
    """The jobs that are to start with the daemon, by id."""
    known: list[str] | None = store.read(lambda tx: tx.cursors.get(_LIST))
    if known is None:  # of a state that an earlier version kept
        known = await store.write(lambda tx: _make_list(tx, now))
    ids = known
    records = store.read(lambda tx: tx.jobs.get_many(ids))
    return sorted((r for r in records.values() if _starts(r)), key=lambda record: record.id)


def _make_list(tx: Tx, now: Micros) -> list[str]:
    found = [record.id for record in tx.jobs.all() if _starts(record)]
    tx.cursors.put(_LIST, found, now)
    return found


def _starts(record: JobRecord) -> bool:
    return record.removed_at is None and _MARK in record.definition
