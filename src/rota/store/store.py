"""The store of one workspace in a SQLite file."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rota.ports.store import Store, Tx
from rota.store.db import Database, damage
from rota.store.migrate import ensure_head
from rota.store.reads import Readers
from rota.store.tx import SqlTx
from rota.store.writer import Writer

T = TypeVar("T")


def open_store(
    path: Path, workspace_id: str = "default", *, read_only: bool = False, busy_timeout: float = 60.0
) -> Store:
    """The state at `path`, created or brought up to date as needed.

    `busy_timeout`: seconds to wait for another process's write. StoreError: the file cannot be used,
    is not rota's, or was written by a newer rota.
    """
    database = Database(path, read_only=read_only, busy_timeout=busy_timeout)
    store = SqlStore(database, workspace_id)
    try:
        store.prepare()
    except BaseException:
        store.close()
        raise
    return store


class SqlStore:
    """The `ports.store.Store` of one workspace in `database`."""

    def __init__(self, database: Database, workspace_id: str) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._readers = Readers(self._reader, database.path)
        self._writer = Writer(self._writing, database.path)

    def prepare(self) -> None:
        """Make sure that the tables are what this version needs."""
        tx = self._reader()
        try:
            ensure_head(self._database, tx.connection)
        finally:
            self._readers.give(tx)

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in the next shared commit; return when it is on disk."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writer.submit(work, future, loop)
        return await future

    def write_now(self, work: Callable[[Tx], T]) -> T:
        """The same for callers without an event loop."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._writer.submit(work, future)
        return future.result()

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` over a consistent snapshot; it must not write. From any thread."""
        return self._readers.read(work)

    def version(self) -> int:
        """A number that changes when another process (or another store on the file) commits."""
        return self._writer.version()

    def check(self) -> str | None:
        """What is damaged in the file, in one line; None when it is whole. Reads all of it."""
        return self._readers.read(lambda tx: damage(tx.connection))

    def close(self) -> None:
        """Finish what is queued and close."""
        self._writer.close()
        self._readers.close()

    def _reader(self) -> SqlTx:
        return SqlTx(self._database.connect(), self._workspace_id, self._database.path)

    def _writing(self) -> SqlTx:
        return SqlTx(self._database.connect(write=True), self._workspace_id, self._database.path)
