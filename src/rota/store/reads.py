"""Reading while others write: each read has a connection, and a snapshot, to itself."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rota.model.errors import StoreError
from rota.store.db import store_error
from rota.store.tx import SqlTx

T = TypeVar("T")

_KEPT = 4  # idle connections: more readers than that at once are rare, and each has a page cache


class Readers:
    """Connections that read, lent to one thread at a time."""

    def __init__(self, open_tx: Callable[[], SqlTx], path: Path) -> None:
        self._open_tx = open_tx
        self._path = path
        self._idle: deque[SqlTx] = deque()
        self._closed = False

    def read(self, work: Callable[[SqlTx], T]) -> T:
        """Run `work` in a transaction that sees one moment of the state."""
        tx = self._take()
        try:
            tx.connection.execute("BEGIN")
            return work(tx)
        except sqlite3.Error as error:
            raise store_error(error, self._path) from error
        finally:
            self.give(tx)

    def give(self, tx: SqlTx) -> None:
        """Take a connection (back)."""
        if tx.connection.in_transaction:
            tx.connection.execute("ROLLBACK")
        if self._closed or len(self._idle) >= _KEPT:
            tx.connection.close()
        else:
            self._idle.append(tx)

    def close(self) -> None:
        """Close what is idle now; what is lent is closed when it comes back."""
        self._closed = True
        while self._idle:
            self._idle.pop().connection.close()

    def _take(self) -> SqlTx:
        if self._closed:
            raise StoreError(
                f"the state at {self._path} is closed",
                hint="open it again",
                code="store_closed",
                permanent=True,
            )
        try:
            return self._idle.pop()
        except IndexError:
            return self._open_tx()
