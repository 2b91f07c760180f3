"""How large a state is, what can be deleted of it, and how the disk gets its space back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from rota.model.errors import StoreError
from rota.model.ledger import Event, JobRecord, Occurrence, Outcome
from rota.model.run import Reason, Run, RunState
from rota.ports.store import Store
from rota.store import db

WHY = Reason("x", "x")


def fill(store: Store, events: int = 300) -> None:
    for n in range(events):
        store.write_now(lambda tx, n=n: tx.events.append(Event("k", n, data={"text": "x" * 4000})))  # type: ignore[misc] # bound at once


def empty(store: Store) -> None:
    assert store.write_now(lambda tx: tx.events.prune(10**9, 10**6))


async def shrink_all(store: Store, spare: int) -> list[int]:
    given = []
    while size := await store.shrink(spare):
        given.append(size)
    return given


def test_freed_space_is_not_in_use_and_goes_back_to_the_disk_a_little_at_a_time(
    store: Store, path: Path
) -> None:
    before = store.used()
    fill(store)
    full = store.used()
    assert full - before > 300 * 4000
    empty(store)
    assert store.used() < before + 100_000
    given = asyncio.run(shrink_all(store, 200_000))
    assert len(given) > 1
    assert max(given) <= db.PAGES_AT_ONCE * 4096
    assert full - before - 400_000 < sum(given) < full - before - 100_000, "but for what was to be spared"
    store.close()
    assert path.stat().st_size < full - 500_000


def test_a_state_from_before_there_was_such_a_thing_stays_as_it_is(
    path: Path, open_one: Callable[..., Store]
) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA auto_vacuum=NONE")
        connection.execute("CREATE TABLE x (y)")
        connection.execute("DROP TABLE x")
    store = open_one()
    fill(store, 50)
    empty(store)
    assert asyncio.run(shrink_all(store, 0)) == []
    assert store.check() is None


def run(run_id: str, job_id: str, queued_at: int) -> Run:
    return Run(run_id, job_id, RunState.QUEUED, "h", queued_at, "manual", None, None, WHY)


def add(store: Store, run_id: str, job_id: str, queued_at: int, *, ends: bool = True) -> None:
    store.write_now(lambda tx: tx.runs.add(run(run_id, job_id, queued_at)))
    if ends:
        claimed = store.write_now(lambda tx: tx.runs.claim(run_id, "me", queued_at, queued_at))
        assert claimed is not None
        store.write_now(lambda tx: tx.runs.finish(claimed, RunState.SUCCEEDED, WHY, queued_at, {}))


def test_the_oldest_runs_are_those_of_all_jobs_but_never_the_newest_one(store: Store) -> None:
    store.write_now(lambda tx: tx.jobs.put(JobRecord("k", "K", "{}", "h", "file", 1, 1)))
    for run_id, job_id, at in (("a1", "j", 10), ("b1", "k", 20), ("a2", "j", 30), ("a3", "j", 40)):
        add(store, run_id, job_id, at)
    add(store, "a0", "j", 5, ends=False)
    add(store, "b2", "k", 50, ends=False)
    assert store.read(lambda tx: tx.runs.oldest(100, 10)) == ["a1", "a2"]
    assert store.read(lambda tx: tx.runs.oldest(30, 10)) == ["a1"]
    assert store.read(lambda tx: tx.runs.oldest(100, 1)) == ["a1"]
    known = store.read(lambda tx: tx.runs.owners_of_logs(["a1", "b2", "gone"]))
    assert known == {"a1": ("j", True), "b2": ("k", False)}


def test_which_jobs_have_a_ledger_that_reaches_back(store: Store) -> None:
    store.write_now(lambda tx: tx.jobs.put(JobRecord("k", "K", "{}", "h", "file", 1, 1)))
    for job_id, at in (("j", 10), ("j", 30), ("k", 20)):
        row = Occurrence(job_id, "t", str(at), at, at, Outcome.SKIPPED, WHY)
        store.write_now(lambda tx, row=row: tx.ledger.add(row))  # type: ignore[misc] # bound at once
    assert store.read(lambda tx: tx.ledger.reaching_back(20)) == ["j"]
    assert store.read(lambda tx: tx.ledger.reaching_back(21)) == ["j", "k"]
    assert store.read(lambda tx: tx.ledger.reaching_back(10)) == []


def test_definitions_are_forgotten_unless_something_refers_to_them(store: Store) -> None:
    add(store, "a1", "j", 10)
    for hash_ in ("i", "l", "m"):
        record = JobRecord("j", "Job", "{}", hash_, "file", 1, 1)
        store.write_now(lambda tx, record=record: tx.jobs.put(record))  # type: ignore[misc] # bound at once
    unused = store.read(lambda tx: tx.jobs.unused_definitions(10))
    assert sorted(unused) == ["i", "l"], "not the job's own, nor that of its run"
    for hash_ in unused:
        store.write_now(lambda tx, hash_=hash_: tx.jobs.forget_definition(hash_))  # type: ignore[misc] # bound at once
    assert store.read(lambda tx: tx.jobs.definition("i")) is None
    for hash_ in ("h", "m"):
        with pytest.raises(StoreError) as refused:
            store.write_now(lambda tx, hash_=hash_: tx.jobs.forget_definition(hash_))  # type: ignore[misc] # bound at once
        assert refused.value.code == "store_refused"
