from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from rota.model.errors import StoreError
from rota.model.ledger import Event
from rota.ports.store import Store, Tx


def note(store: Store, kind: str = "x") -> None:
    store.write_now(lambda tx: tx.events.append(Event(kind, 1)))


def count(tx: Tx) -> int:
    return len(tx.events.after(0, 1000))


def test_a_read_sees_one_moment(store: Store) -> None:
    note(store)

    def work(tx: Tx) -> tuple[int, int]:
        before = count(tx)
        note(store)  # another connection commits meanwhile
        return before, count(tx)

    assert store.read(work) == (1, 1)
    assert store.read(count) == 2


def test_reads_go_on_while_a_write_is_under_way(store: Store) -> None:
    note(store)
    begun, go_on = threading.Event(), threading.Event()

    def slow(tx: Tx) -> None:
        tx.events.append(Event("slow", 1))
        begun.set()
        assert go_on.wait(10)

    thread = threading.Thread(target=store.write_now, args=(slow,))
    thread.start()
    assert begun.wait(10)
    assert store.read(count) == 1
    assert store.version() == store.version()  # neither waits
    go_on.set()
    thread.join()
    assert store.read(count) == 2


def test_a_read_may_not_write(store: Store) -> None:
    with pytest.raises(StoreError):
        store.read(lambda tx: tx.events.append(Event("x", 1)))
    assert store.read(count) == 0


def test_an_error_of_the_reader_is_its_own(store: Store) -> None:
    def work(tx: Tx) -> None:
        raise KeyError("mine")

    for _ in range(10):
        with pytest.raises(KeyError, match="mine"):
            store.read(work)
    assert store.read(count) == 0


def test_many_threads_read_at_once(store: Store) -> None:
    note(store)
    barrier = threading.Barrier(12)

    def work(tx: Tx) -> int:
        barrier.wait(10)
        return count(tx)

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(lambda _: store.read(work), range(12))) == {1}


def test_version_changes_with_the_commits_of_others_only(
    open_one: Callable[..., Store], store: Store
) -> None:
    other = open_one()
    first = store.version()
    note(store)
    assert store.version() == first
    note(other)
    second = store.version()
    assert second != first
    assert store.version() == second
    store.read(count)
    note(store)
    assert store.version() == second
