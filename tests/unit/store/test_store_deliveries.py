"""What came in by webhooks: once, found again, forgotten in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rota.model.delivery import Delivery, Lookup
from rota.model.errors import StoreError
from rota.model.ledger import Occurrence, Outcome
from rota.model.run import Reason
from rota.ports.store import Store

ONE = Delivery(
    "d1", "gh", "j", "webhook", "k1", "abc", 100, "127.0.0.1", {"a": "b"}, {"q": "1"}, '{"x": 1}', size=8
)


@pytest.fixture
def stocked(store: Store) -> Store:
    """Two deliveries of a hook; the first is in the ledger."""
    row = Occurrence("j", "webhook", "k1", 100, 100, Outcome.RAN, Reason("webhook", "called"), "r1")
    store.write_now(lambda tx: tx.ledger.add(row))
    store.write_now(lambda tx: tx.deliveries.add([replace(ONE, run_id="r1"), _other()]))
    return store


def _other() -> Delivery:
    return replace(
        ONE, id="d2", key="k2", digest="def", received_at=200, body="AA==", binary=True, run_id="r2"
    )


def test_it_is_read_as_it_was_written(stocked: Store) -> None:
    found = stocked.read(lambda tx: tx.deliveries.of_hook("gh"))
    assert found == [_other(), replace(ONE, run_id="r1", outcome=Outcome.RAN, reason="called")]
    assert [one.id for one in stocked.read(lambda tx: tx.deliveries.find("d2"))] == ["d2"]
    assert [one.id for one in stocked.read(lambda tx: tx.deliveries.of_run("r1"))] == ["d1"]
    (count,) = stocked.read(lambda tx: tx.deliveries.counts())
    assert (count.hook, count.count, count.last_at) == ("gh", 2, 200)


def test_one_is_known_by_key_by_digest_and_by_the_ledger(stocked: Store) -> None:
    asked = [
        Lookup("gh", "j", "webhook", "k1", "other", None),
        Lookup("gh", "j", "webhook", "new", "def", 200),
        Lookup("gh", "j", "webhook", "new", "def", 201),
        Lookup("gh", "j", "webhook", "new", "def", None),
        Lookup("other", "j2", "webhook", "k1", "abc", 0),
    ]
    known = stocked.read(lambda tx: tx.deliveries.known(asked))
    assert known == [("d1", "r1"), ("d2", "r2"), None, None, None]
    stocked.write_now(lambda tx: tx.deliveries.prune(1000, 10))
    assert stocked.read(lambda tx: tx.deliveries.known(asked[:2])) == [(None, "r1"), None]


def test_a_key_is_taken_once(stocked: Store) -> None:
    with pytest.raises(StoreError):
        stocked.write_now(lambda tx: tx.deliveries.add([replace(ONE, id="d3")]))
    assert len(stocked.read(lambda tx: tx.deliveries.of_hook("gh"))) == 2


def test_what_it_said_is_forgotten_before_that_it_came(stocked: Store) -> None:
    assert stocked.write_now(lambda tx: tx.deliveries.forget(150, 10)) == 1
    assert stocked.write_now(lambda tx: tx.deliveries.forget(150, 10)) == 0
    old = stocked.read(lambda tx: tx.deliveries.find("d1"))[0]
    assert (old.body, dict(old.headers), old.size, old.digest) == ("", {}, 8, "abc")
    assert stocked.write_now(lambda tx: tx.deliveries.prune(150, 10)) == 1
    assert [one.id for one in stocked.read(lambda tx: tx.deliveries.of_hook("gh"))] == ["d2"]
