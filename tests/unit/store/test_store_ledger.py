from __future__ import annotations

from dataclasses import replace

from rota.model.ledger import Occurrence, Outcome
from rota.model.run import Reason
from rota.ports.store import Store

DUE = Reason("due", "it was due")


def at(due: int, **changes: object) -> Occurrence:
    one = Occurrence(
        "j", "cron", str(due), due, due + 1, Outcome.RAN, DUE, run_id=f"run-{due}", detail={"n": [1]}
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def add(store: Store, *occurrences: Occurrence) -> list[bool]:
    return store.write_now(lambda tx: [tx.ledger.add(one) for one in occurrences])


def test_an_occurrence_is_written_once(store: Store) -> None:
    assert add(store, at(100), at(200)) == [True, True]
    assert add(store, at(100, outcome=Outcome.MISSED)) == [False]
    assert add(store, at(100, trigger_id="other")) == [True]
    assert at(100) in store.read(lambda tx: tx.ledger.of("j"))


def test_latest_first_and_by_outcome(store: Store) -> None:
    skipped = at(300, outcome=Outcome.SKIPPED, run_id=None, reason=Reason("overlap", "one is running"))
    add(store, at(100), skipped, at(200))
    assert store.read(lambda tx: tx.ledger.of("j")) == [skipped, at(200), at(100)]
    assert store.read(lambda tx: tx.ledger.of("j", limit=1)) == [skipped]
    assert store.read(lambda tx: tx.ledger.of("j", outcome=Outcome.SKIPPED)) == [skipped]
    assert store.read(lambda tx: tx.ledger.of("none")) == []


def test_around_an_instant(store: Store) -> None:
    add(store, *(at(due) for due in (100, 200, 300, 400)))
    around = store.read(lambda tx: tx.ledger.of("j", around=290, limit=2))
    assert [one.due_at for one in around] == [300, 200]
    before = store.read(lambda tx: tx.ledger.of("j", around=5, limit=2))
    assert [one.due_at for one in before] == [200, 100]


def test_a_stretch_is_found_from_within_whatever_else_lies_there(store: Store) -> None:
    stretch = at(1, trigger_id="every", key="stretch", until=10_000, count=10_000, outcome=Outcome.MISSED)
    add(store, stretch, *(at(due) for due in range(100, 200)))
    found = store.read(lambda tx: tx.ledger.of("j", around=150, limit=3))
    assert stretch in found
    assert found[0].due_at == 150
    assert store.read(lambda tx: tx.ledger.count("j")) == {"ran": 100, "missed": 10_000}


def test_settling_changes_the_occurrence_of_a_run(store: Store) -> None:
    add(store, at(100), at(200))
    reason = Reason("cancelled", "before it began")
    store.write_now(lambda tx: tx.ledger.settle("run-100", Outcome.SKIPPED, reason))
    assert store.read(lambda tx: tx.ledger.of("j")) == [
        at(200),
        at(100, outcome=Outcome.SKIPPED, reason=reason),
    ]


def test_prune_forgets_the_oldest_in_small_batches(store: Store) -> None:
    stretch = at(1, key="stretch", until=10_000)
    add(store, stretch, *(at(due) for due in (100, 200, 300)))
    assert store.write_now(lambda tx: tx.ledger.prune("j", 250, 1)) == 1
    assert store.write_now(lambda tx: tx.ledger.prune("j", 250, 10)) == 1
    assert store.write_now(lambda tx: tx.ledger.prune("j", 250, 10)) == 0
    assert store.read(lambda tx: tx.ledger.of("j")) == [at(300), stretch]


def test_a_row_that_did_not_run_can_be_made_up_for_once(store: Store) -> None:
    missed = Occurrence("j", "t", "k", 10, 11, Outcome.MISSED, Reason("not_running", "nobody was there"))
    ran = replace(
        missed, outcome=Outcome.RAN, reason=Reason("backfilled", "later"), run_id="r1", noticed_at=99
    )
    assert not store.write_now(lambda tx: tx.ledger.amend(ran)), "it is not there yet"
    add(store, missed)
    assert store.write_now(lambda tx: tx.ledger.amend(ran))
    assert not store.write_now(lambda tx: tx.ledger.amend(replace(ran, run_id="r2")))
    assert store.read(lambda tx: tx.ledger.of("j")) == [replace(ran, noticed_at=11)]


def test_between_has_the_rows_of_a_span_and_the_stretches_that_reach_into_it(store: Store) -> None:
    def row(key: str, due_at: int, until: int | None = None) -> Occurrence:
        return Occurrence("j", "t", key, due_at, 0, Outcome.MISSED, Reason("x", "x"), until=until)

    rows = [row("a", 1), row("b", 2, 5), row("c", 3, 4), row("d", 5), row("e", 7, 20), row("f", 10)]

    add(store, *rows)
    found = store.read(lambda tx: tx.ledger.between("j", 5, 10))
    assert [one.key for one in found] == ["b", "d", "e"]
    assert store.read(lambda tx: tx.ledger.between("k", 5, 10)) == []
