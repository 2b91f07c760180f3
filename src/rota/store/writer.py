"""The one writer: a thread that commits what many callers asked for in shared transactions.

A commit that is on disk costs a disk's fsync, whatever it holds. So while one commit is under way,
the functions that arrive wait, and the next commit takes them all. Each has its own savepoint.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rota.model.errors import StoreError
from rota.ports.crash import crash_point
from rota.store.db import store_error
from rota.store.tx import SqlTx

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures

    _Future = asyncio.Future[Any] | concurrent.futures.Future[Any]

MAX_BATCH = 256  # functions to a commit: bounds the wait of the first one
# Seconds between two tries while another process writes. SQLite's own waits grow to 0.1 s: beside one that writes
# again and again, a daemon would find its turn by chance only.
AGAIN = 0.001


class _Write:
    """A function on its way, and what became of it. `loop`: where its future lives, if in one."""

    __slots__ = ("error", "future", "loop", "value", "work")

    def __init__(
        self, work: Callable[[Any], Any], future: _Future, loop: asyncio.AbstractEventLoop | None
    ) -> None:
        self.work = work
        self.future = future
        self.loop = loop
        self.value: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell the caller, unless it has gone."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.value)
        elif isinstance(self.error, StopIteration):  # a future does not carry it
            self.future.set_exception(RuntimeError("a write ended with StopIteration"))
        else:
            self.future.set_exception(self.error)


class Writer:
    """Owns the connection that writes; its thread starts with the first write.

    `open_tx`: a connection that does not wait for locks by itself; `patience`: seconds to wait for another process.
    """

    def __init__(self, open_tx: Callable[[], SqlTx], path: Path, patience: float) -> None:
        self._open_tx = open_tx
        self._path = path
        self._patience = patience
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._gate = threading.Lock()  # over what follows: who may still come in
        self._thread: threading.Thread | None = None
        self._closed = False
        self._in_use = threading.Lock()  # over what follows: held for a whole commit
        self._tx: SqlTx | None = None
        self._drained = False
        self._version = 0

    def submit(
        self, work: Callable[[Any], Any], future: _Future, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """Queue `work` for the next commit. It runs even when nobody waits for `future` any more."""
        with self._gate:
            if self._closed:
                raise _closed(self._path)
            if self._thread is None:
                thread = threading.Thread(target=self._serve, name="rota-store-writer", daemon=True)
                thread.start()
                self._thread = thread
            self._queue.put(_Write(work, future, loop))

    def version(self) -> int:
        """PRAGMA data_version of the writing connection: only the commits of others change it.

        While a commit is under way, the number as of the one before: this never waits.
        """
        if self._in_use.acquire(blocking=False):
            try:
                self._look(self._tx or self._open())
            finally:
                self._in_use.release()
        return self._version

    def close(self) -> None:
        """Write what is queued, then close. Doing it twice does nothing."""
        with self._gate:
            self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        with self._in_use:
            self._drained = True
            if self._tx is not None:
                self._tx.connection.close()
                self._tx = None

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            with contextlib.suppress(queue.Empty):
                while len(batch) < MAX_BATCH:
                    write = self._queue.get_nowait()
                    if write is None:  # closing: nothing comes after it
                        self._queue.put(None)
                        break
                    batch.append(write)
            self._commit(batch)
            _settle(batch)

    def _commit(self, batch: list[_Write]) -> None:
        with self._in_use:
            try:
                tx = self._tx or self._open()
                self._transact(tx, batch)
            except Exception as error:  # noqa: BLE001 - it goes to every caller, and the thread lives on
                for write in batch:
                    # Whoever failed by itself hears its own reason.
                    write.error = write.error or self._loss(error)
            else:
                self._look(tx)

    def _transact(self, tx: SqlTx, batch: list[_Write]) -> None:
        connection = tx.connection
        self._begin(connection)
        try:
            if len(batch) == 1:
                self._apply(tx, batch[0])
            else:
                for write in batch:
                    connection.execute("SAVEPOINT work")
                    self._apply(tx, write)
                    if write.error is not None:
                        connection.execute("ROLLBACK TO work")
                    connection.execute("RELEASE work")
            crash_point("store.before_commit")
            connection.execute("COMMIT" if any(write.error is None for write in batch) else "ROLLBACK")
            crash_point("store.after_commit")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Be the one process that writes, as soon as no other one does."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(AGAIN)
            else:
                return

    def _apply(self, tx: SqlTx, write: _Write) -> None:
        try:
            write.value = write.work(tx)
        except BaseException as error:  # noqa: BLE001 - it is the caller's
            write.error = error
        if not tx.connection.in_transaction:
            # SQLite gives up the whole transaction for some failures, such as a full disk.
            if isinstance(write.error, StoreError):
                raise write.error
            raise sqlite3.OperationalError("the transaction ended early")

    def _open(self) -> SqlTx:
        if self._drained:
            raise _closed(self._path)
        self._tx = self._open_tx()
        return self._tx

    def _look(self, tx: SqlTx) -> None:
        with contextlib.suppress(sqlite3.Error):  # then the next look will tell
            (self._version,) = tx.connection.execute("PRAGMA data_version").fetchone()

    def _loss(self, error: Exception) -> StoreError:
        """A StoreError for one of several callers, each its own: a traceback grows where it is raised."""
        if isinstance(error, sqlite3.Error):
            return store_error(error, self._path)
        if isinstance(error, StoreError):
            return StoreError(error.message, hint=error.hint, code=error.code, permanent=error.permanent)
        return StoreError(f"a change to {self._path} was undone with another: {error}", hint="try again")


def _settle(batch: list[_Write]) -> None:
    """Tell the callers, waking each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
    for write in batch:
        if write.loop is None:
            write.settle()
        else:
            by_loop.setdefault(write.loop, []).append(write)
    for loop, writes in by_loop.items():
        with contextlib.suppress(RuntimeError):  # a closed loop: nobody waits there any more
            loop.call_soon_threadsafe(_settle_all, writes)


def _settle_all(writes: list[_Write]) -> None:
    for write in writes:
        write.settle()


def _closed(path: Path) -> StoreError:
    return StoreError(
        f"the state at {path} is closed", hint="open it again", code="store_closed", permanent=True
    )
