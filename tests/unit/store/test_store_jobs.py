from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rota.model.errors import StoreError
from rota.model.ledger import BrokenFile, JobRecord, TriggerRecord
from rota.ports.store import Store, Tx

JOB = JobRecord(
    "report",
    "Report",
    '{"id":"report"}',
    "sha-1",
    "file",
    10,
    11,
    path="jobs/report.yaml",
    description="Ünïcode",
    schedule="daily",
    timezone="Europe/London",
    warnings=("one", "two"),
)
TRIGGER = TriggerRecord("report", "cron", "cron", "0 8 * * *", "UTC", None, since=100, next_due=200)


def put(store: Store, *records: JobRecord) -> None:
    def work(tx: Tx) -> None:
        for record in records:
            tx.jobs.put(record)

    store.write_now(work)


def put_triggers(store: Store, *records: TriggerRecord) -> None:
    def work(tx: Tx) -> None:
        for record in records:
            tx.triggers.put(record)

    store.write_now(work)


def due(store: Store, until: int = 10**9) -> list[str]:
    return store.read(lambda tx: [t.trigger_id for t in tx.triggers.due(until, 100)])


def test_a_job_comes_back_as_it_was_put(store: Store) -> None:
    odd = replace(
        JOB, id="odd", path=None, enabled=False, paused_at=5, paused_reason="x", error="bad", removed_at=9
    )
    put(store, JOB, odd)
    assert store.read(lambda tx: tx.jobs.get("report")) == JOB
    assert store.read(lambda tx: tx.jobs.get("odd")) == odd
    assert store.read(lambda tx: tx.jobs.get("none")) is None


def test_jobs_are_listed_by_id_and_removed_ones_on_request(store: Store) -> None:
    put(store, JOB, replace(JOB, id="a"))
    assert store.write_now(lambda tx: tx.jobs.remove("a", 50))
    assert [job.id for job in store.read(lambda tx: tx.jobs.all())] == ["j", "report"]
    assert [job.id for job in store.read(lambda tx: tx.jobs.all(removed=True))] == ["a", "j", "report"]
    assert not store.write_now(lambda tx: tx.jobs.remove("a", 51))
    assert not store.write_now(lambda tx: tx.jobs.remove("none", 51))


def test_past_definitions_are_kept(store: Store) -> None:
    put(store, JOB)
    put(store, replace(JOB, definition='{"v":2}', hash="sha-2"))
    assert store.read(lambda tx: tx.jobs.definition("sha-1")) == '{"id":"report"}'
    assert store.read(lambda tx: tx.jobs.definition("sha-2")) == '{"v":2}'
    assert store.read(lambda tx: tx.jobs.definition("sha-3")) is None


def test_an_error_is_set_and_mended(store: Store) -> None:
    put(store, JOB)
    store.write_now(lambda tx: tx.jobs.set_error("report", "line 3: what?", 70))
    broken = store.read(lambda tx: tx.jobs.get("report"))
    assert broken is not None
    assert (broken.status, broken.error, broken.updated_at) == ("broken", "line 3: what?", 70)
    store.write_now(lambda tx: tx.jobs.set_error("report", None, 71))
    assert store.read(lambda tx: tx.jobs.get("report")) == replace(JOB, updated_at=71)


def test_pause_and_resume_say_whether_they_changed_anything(store: Store) -> None:
    put(store, JOB)
    assert store.write_now(lambda tx: tx.jobs.pause("report", "three failures", 60))
    assert not store.write_now(lambda tx: tx.jobs.pause("report", "again", 61))
    assert not store.write_now(lambda tx: tx.jobs.pause("none", "x", 61))
    paused = store.read(lambda tx: tx.jobs.get("report"))
    assert paused is not None
    assert (paused.status, paused.paused_at, paused.paused_reason) == ("paused", 60, "three failures")
    assert store.write_now(lambda tx: tx.jobs.resume("report", 62))
    assert not store.write_now(lambda tx: tx.jobs.resume("report", 63))
    assert store.read(lambda tx: tx.jobs.get("report")) == replace(JOB, updated_at=62)


def test_triggers_are_due_only_while_their_job_is_active(store: Store) -> None:
    put(store, JOB)
    put_triggers(store, TRIGGER)
    assert due(store) == ["cron"]
    store.write_now(lambda tx: tx.jobs.pause("report", "x", 1))
    assert due(store) == []
    assert store.read(lambda tx: tx.triggers.next_due()) is None
    put_triggers(store, replace(TRIGGER, trigger_id="late"))  # put while asleep
    store.write_now(lambda tx: tx.jobs.resume("report", 2))
    assert due(store) == ["cron", "late"]
    put(store, replace(JOB, enabled=False))
    assert due(store) == []
    put(store, JOB)
    assert due(store) == ["cron", "late"]
    store.write_now(lambda tx: tx.jobs.set_error("report", "broken file", 3))
    assert due(store) == ["cron", "late"]  # the last good version goes on
    store.write_now(lambda tx: tx.jobs.remove("report", 4))
    assert store.read(lambda tx: tx.triggers.all()) == []


def test_due_is_soonest_first_and_limited(store: Store) -> None:
    put(store, JOB)
    records = [replace(TRIGGER, trigger_id=f"t{n}", next_due=n) for n in (300, 100, 200)]
    never = replace(TRIGGER, trigger_id="never", next_due=None)
    put_triggers(store, *records, never)
    assert due(store) == ["t100", "t200", "t300"]
    assert due(store, until=200) == ["t100", "t200"]
    assert [t.trigger_id for t in store.read(lambda tx: tx.triggers.due(300, 1))] == ["t100"]
    assert store.read(lambda tx: tx.triggers.next_due()) == 100
    assert [t.trigger_id for t in store.read(lambda tx: tx.triggers.of("report"))] == [
        "never",
        "t100",
        "t200",
        "t300",
    ]
    assert store.read(lambda tx: tx.triggers.all()) == [never, *sorted(records, key=lambda r: r.trigger_id)]
    store.write_now(lambda tx: tx.triggers.delete("report", "t100"))
    assert due(store) == ["t200", "t300"]


def test_advance_is_a_compare_and_set(open_one: Callable[..., Store], store: Store) -> None:
    put(store, JOB)
    put_triggers(store, TRIGGER)
    other = open_one()
    assert store.write_now(lambda tx: tx.triggers.advance(TRIGGER, since=200, next_due=300))
    assert not other.write_now(lambda tx: tx.triggers.advance(TRIGGER, since=200, next_due=300))
    moved = replace(TRIGGER, since=200, next_due=300)
    assert other.read(lambda tx: tx.triggers.of("report")) == [moved]
    edited = replace(moved, text="0 9 * * *")
    put_triggers(other, edited)
    assert not store.write_now(lambda tx: tx.triggers.advance(moved, since=300, next_due=None))
    assert store.write_now(lambda tx: tx.triggers.advance(edited, since=300, next_due=None))
    ended = replace(edited, since=300, next_due=None)
    assert store.write_now(lambda tx: tx.triggers.advance(ended, since=400, next_due=500))


def test_a_trigger_needs_its_job(store: Store) -> None:
    with pytest.raises(StoreError, match="does not take this change") as caught:
        put_triggers(store, replace(TRIGGER, job_id="none"))
    assert caught.value.code == "store_refused"


def test_broken_files_are_replaced_as_a_whole(store: Store) -> None:
    b = BrokenFile("b.yaml", "bad", 3, "mend it", 1)
    a = BrokenFile("a.yaml", "worse", None, None, 2)
    store.write_now(lambda tx: tx.jobs.set_broken_files([b, a]))
    assert store.read(lambda tx: tx.jobs.broken_files()) == [a, b]
    store.write_now(lambda tx: tx.jobs.set_broken_files([b]))
    assert store.read(lambda tx: tx.jobs.broken_files()) == [b]


def test_workspaces_in_one_file_do_not_see_one_another(open_one: Callable[..., Store], store: Store) -> None:
    other = open_one("other")
    put(other, JOB)
    assert [job.id for job in store.read(lambda tx: tx.jobs.all())] == ["j"]
    assert [job.id for job in other.read(lambda tx: tx.jobs.all())] == ["report"]
    assert not store.write_now(lambda tx: tx.jobs.pause("report", "x", 1))
    with pytest.raises(StoreError):
        put_triggers(store, TRIGGER)
