"""Triggers that look, and what they have seen."""

from __future__ import annotations

from dataclasses import replace

from rota.model.ledger import JobRecord
from rota.model.looks import LookRecord
from rota.ports.store import Store

FILES = LookRecord("j", "files", "files", "inbox/*")
POLL = LookRecord("j", "poll", "poll", "feed")


def test_what_is_known_stays_when_the_job_is_put_again(store: Store) -> None:
    state = LookRecord("j", "poll", "poll", "feed", "f", True, 1, 2, "found", 3, 4, "error", True, 5)  # noqa: FBT003 # every column
    store.write_now(lambda tx: tx.looks.register(POLL))
    assert store.write_now(lambda tx: tx.looks.save(state)) is True
    store.write_now(lambda tx: tx.looks.register(replace(POLL, text="another")))
    assert store.read(lambda tx: tx.looks.of("j")) == [replace(state, text="another")]


def test_one_that_is_gone_is_not_saved(store: Store) -> None:
    assert store.write_now(lambda tx: tx.looks.save(FILES)) is False
    assert store.read(lambda tx: tx.looks.all()) == []


def test_only_jobs_that_may_fire_look(store: Store) -> None:
    other = JobRecord("k", "Job", "{}", "h", "file", 1, 1, enabled=False)
    store.write_now(lambda tx: tx.jobs.put(other))
    for record in (FILES, POLL, replace(FILES, job_id="k")):
        store.write_now(lambda tx, record=record: tx.looks.register(record))  # type: ignore[misc] # bound at once
    assert store.read(lambda tx: tx.looks.active("files")) == [FILES]
    assert store.read(lambda tx: tx.looks.active("poll")) == [POLL]
    store.write_now(lambda tx: tx.jobs.pause("j", "by hand", 2))
    assert store.read(lambda tx: tx.looks.active("files")) == []
    assert len(store.read(lambda tx: tx.looks.all())) == 3


def test_what_was_seen(store: Store) -> None:
    store.write_now(lambda tx: tx.looks.register(FILES))
    store.write_now(lambda tx: tx.looks.see(FILES, {"a": "1", "b": "1"}, 10))
    store.write_now(lambda tx: tx.looks.see(FILES, {"b": "2"}, 20))
    store.write_now(lambda tx: tx.looks.see(POLL, {"a": "9"}, 20))
    assert store.read(lambda tx: tx.looks.seen("j", "files")) == {"a": "1", "b": "2"}
    store.write_now(lambda tx: tx.looks.forget(FILES, ["a", "never"]))
    assert store.read(lambda tx: tx.looks.seen("j", "files")) == {"b": "2"}
    store.write_now(lambda tx: tx.looks.forget(FILES))
    assert store.read(lambda tx: tx.looks.seen("j", "files")) == {}
    assert store.read(lambda tx: tx.looks.seen("j", "poll")) == {"a": "9"}


def test_forgetting_a_trigger_forgets_what_it_saw(store: Store) -> None:
    store.write_now(lambda tx: tx.looks.register(FILES))
    store.write_now(lambda tx: tx.looks.see(FILES, {"a": "1"}, 10))
    store.write_now(lambda tx: tx.looks.delete("j", "files"))
    assert store.read(lambda tx: tx.looks.of("j")) == []
    assert store.read(lambda tx: tx.looks.seen("j", "files")) == {}
