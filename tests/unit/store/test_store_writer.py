from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from rota.model.errors import ConflictError, StoreError
from rota.model.ledger import Event
from rota.ports.store import Store, Tx
from rota.store import writer
from rota.store.tx import SqlTx


def note(kind: str) -> Callable[[Tx], int]:
    return lambda tx: tx.events.append(Event(kind, 1))


def kinds(store: Store) -> list[str]:
    return [event.kind for event in store.read(lambda tx: tx.events.after(0, 10_000))]


def refuse(tx: Tx) -> None:
    tx.events.append(Event("refused", 1))
    raise ConflictError("no")


class Hold:
    """A write that keeps the writer busy, so that what comes meanwhile shares the next commit."""

    def __init__(self, store: Store) -> None:
        self._begun, self._go_on = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=store.write_now, args=(self._wait,))
        self._thread.start()
        assert self._begun.wait(10)

    def _wait(self, tx: Tx) -> None:
        self._begun.set()
        assert self._go_on.wait(10)

    def end(self) -> None:
        self._go_on.set()
        self._thread.join()


async def together(store: Store, *works: Callable[[Tx], object]) -> list[object]:
    """The outcomes of works that are committed as one."""
    hold = Hold(store)
    pending = [asyncio.ensure_future(store.write(work)) for work in works]
    await asyncio.sleep(0)  # each has queued its work
    hold.end()
    return await asyncio.gather(*pending, return_exceptions=True)


def test_a_write_returns_its_value_and_is_there(store: Store) -> None:
    first = store.write_now(note("a"))
    assert asyncio.run(store.write(note("b"))) > first
    assert kinds(store) == ["a", "b"]


def test_a_write_sees_its_own_changes(store: Store) -> None:
    def work(tx: Tx) -> list[str]:
        tx.events.append(Event("mine", 1))
        return [event.kind for event in tx.events.after(0)]

    assert store.write_now(work) == ["mine"]


def test_many_writers_share_few_commits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[str] = []
    monkeypatch.setattr(writer, "crash_point", passed.append)

    async def main() -> None:
        hold = Hold(store)
        pending = [asyncio.ensure_future(store.write(note(str(n)))) for n in range(1000)]
        await asyncio.sleep(0)
        hold.end()
        await asyncio.gather(*pending)

    asyncio.run(main())
    assert sorted(map(int, kinds(store))) == list(range(1000))
    assert passed.count("store.before_commit") == 1 + -(-1000 // writer.MAX_BATCH)
    assert passed.count("store.after_commit") == passed.count("store.before_commit")


def test_one_that_raises_undoes_only_itself(store: Store) -> None:
    first, refused, last = asyncio.run(together(store, note("first"), refuse, note("last")))
    assert isinstance(refused, ConflictError)
    assert isinstance(first, int)
    assert isinstance(last, int)
    assert kinds(store) == ["first", "last"]


def test_one_that_raises_alone_is_undone(store: Store) -> None:
    with pytest.raises(ConflictError):
        store.write_now(refuse)
    assert kinds(store) == []
    assert all(isinstance(end, ConflictError) for end in asyncio.run(together(store, refuse, refuse)))
    assert kinds(store) == []


@pytest.mark.parametrize("error", [StopIteration, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_no_exception_ends_the_writer(store: Store, error: type[BaseException]) -> None:
    def work(tx: Tx) -> None:
        raise error

    with pytest.raises(BaseException):  # noqa: B017 - whichever it was; what matters is that it arrives
        store.write_now(work)
    store.write_now(note("after"))
    assert kinds(store) == ["after"]


def test_a_failed_commit_reaches_everyone_and_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = True

    def fail(name: str) -> None:
        if failing and name == "store.before_commit":
            raise sqlite3.OperationalError("disk I/O error")

    store.write_now(note("before"))
    monkeypatch.setattr(writer, "crash_point", fail)
    with pytest.raises(StoreError, match="disk I/O error"):
        store.write_now(note("alone"))

    async def main() -> list[object]:
        return await asyncio.gather(
            *(store.write(work) for work in (note("a"), refuse, note("b"))), return_exceptions=True
        )

    a, refused, b = asyncio.run(main())
    assert isinstance(a, StoreError)
    assert isinstance(b, StoreError)
    assert isinstance(refused, ConflictError | StoreError)
    assert a is not b
    failing = False
    store.write_now(note("after"))
    assert kinds(store) == ["before", "after"]


def test_a_full_disk_is_named_and_the_writer_carries_on(store: Store) -> None:
    def limit_pages(tx: Tx, spare: int) -> None:
        connection = cast(SqlTx, tx).connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + spare}")

    def fill(tx: Tx) -> None:
        tx.cursors.put("big", "x" * 1_000_000, 1)

    store.write_now(lambda tx: limit_pages(tx, 2))
    with pytest.raises(StoreError) as caught:
        store.write_now(fill)
    assert (caught.value.code, caught.value.permanent) == ("store_disk_full", False)
    assert caught.value.hint == "free some space: rota carries on by itself"
    small, big = asyncio.run(together(store, note("small"), fill))
    assert isinstance(big, StoreError)
    assert isinstance(small, int | StoreError)
    assert kinds(store) == (["small"] if isinstance(small, int) else [])
    store.write_now(lambda tx: limit_pages(tx, 10_000))
    store.write_now(fill)
    assert len(store.read(lambda tx: tx.cursors.get("big"))) == 1_000_000


def test_a_transaction_that_sqlite_gave_up_fails_as_a_whole(store: Store) -> None:
    def give_up(tx: Tx) -> None:  # what SQLite does by itself for some failures
        cast(SqlTx, tx).connection.execute("ROLLBACK")

    ends = asyncio.run(together(store, note("a"), give_up, note("b")))
    assert all(isinstance(end, StoreError) for end in ends)
    with pytest.raises(StoreError, match="ended early"):
        store.write_now(give_up)
    assert kinds(store) == []
    store.write_now(note("after"))
    assert kinds(store) == ["after"]


def test_a_caller_that_left_does_not_undo_its_write(store: Store) -> None:
    async def main() -> None:
        hold = Hold(store)
        left = asyncio.ensure_future(store.write(note("left")))
        await asyncio.sleep(0)
        left.cancel()
        hold.end()
        await store.write(note("stayed"))

    asyncio.run(main())
    assert kinds(store) == ["left", "stayed"]


def test_close_writes_what_is_queued(open_one: Callable[..., Store], store: Store) -> None:
    async def main() -> None:
        hold = Hold(store)
        pending = [asyncio.ensure_future(store.write(note(str(n)))) for n in range(600)]
        await asyncio.sleep(0)
        closing = asyncio.get_running_loop().run_in_executor(None, store.close)
        hold.end()
        await asyncio.gather(closing, *pending)

    asyncio.run(main())
    assert len(kinds(open_one())) == 600
    for use in (lambda: store.write_now(refuse), lambda: store.read(refuse), store.version):
        with pytest.raises(StoreError, match="is closed"):
            use()
    store.close()


def test_close_right_after_the_first_write(open_one: Callable[..., Store]) -> None:
    async def main() -> None:
        for n in range(20):
            store = open_one()
            pending = asyncio.ensure_future(store.write(note(str(n))))
            await asyncio.sleep(0)
            store.close()
            await pending

    asyncio.run(main())
    assert len(kinds(open_one())) == 20


def test_writers_of_two_processes_take_turns(open_one: Callable[..., Store], store: Store) -> None:
    stores = [store, open_one()]

    def write_many(one: Store) -> None:
        for n in range(100):
            one.write_now(note(str(n)))

    threads = [threading.Thread(target=write_many, args=(one,)) for one in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kinds(store)) == 200


@pytest.mark.parametrize(("point", "kept"), [("store.before_commit", False), ("store.after_commit", True)])
def test_a_killed_process_leaves_all_of_a_commit_or_nothing(
    open_one: Callable[..., Store], path: Path, point: str, kept: bool
) -> None:
    script = (
        "import sys; from pathlib import Path; from rota.store import open_store; from rota.model.ledger import Event\n"
        "store = open_store(Path(sys.argv[1]))\n"
        "store.write_now(lambda tx: [tx.events.append(Event(kind, 1)) for kind in 'abc'])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(path)], env={**os.environ, "ROTA_CRASH_AT": point}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert kinds(open_one()) == (["a", "b", "c"] if kept else [])


def test_its_turn_comes_as_soon_as_the_other_process_has_committed(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own waits grow to 0.1 s: beside one that writes again and again, most of its gaps were missed."""
    store.write_now(note("first"))
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 30:
            other.execute("COMMIT")

    monkeypatch.setattr("rota.store.writer.time.sleep", pause)
    store.write_now(note("second"))
    other.close()
    assert pauses == [writer.AGAIN] * 30
    assert kinds(store) == ["first", "second"]
