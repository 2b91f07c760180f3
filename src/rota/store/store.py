"""The store of one workspace in a SQLite file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from rota.ports.store import Store, Tx
from rota.store.db import Database, damage, shrink, used
from rota.store.migrate import ensure_head, needs_upgrade
from rota.store.reads import Readers
from rota.store.statements import TextFile
from rota.store.tx import SqlTx
from rota.store.writer import Writer

T = TypeVar("T")


def open_store(
    path: Path,
    workspace_id: str = "default",
    *,
    read_only: bool = False,
    busy_timeout: float = 60.0,
    cache: Path | None = None,
) -> Store:
    """The state at `path`, created or brought up to date as needed.

    `busy_timeout`: seconds to wait for another process's write. `cache`: a folder in which the texts of
    the statements are kept for the next process, so that it starts sooner, where they cannot be kept beside
    the code. StoreError: the file cannot be used, is not rota's, or was written by a newer rota.
    """
    database = Database(path, read_only=read_only, busy_timeout=busy_timeout)
    store = SqlStore(database, workspace_id, None if cache is None else TextFile(cache))
    try:
        store.prepare()
    except BaseException:
        store.close()
        raise
    return store


def is_ready(path: Path, cache: Path) -> bool:
    """Whether the state at `path` can be opened or made without what takes long to import; `cache`: see `open_store`."""
    texts = TextFile(cache)
    texts.load()
    return texts.counts and not needs_upgrade(path)


def make_ready(path: Path, cache: Path) -> None:
    """Create or update the state at `path`, and keep every statement, compiled; `cache`: see `open_store`."""
    open_store(path, cache=cache).close()
    texts = TextFile(cache)
    texts.load()
    texts.keep(all_of_them=True)


class SqlStore:
    """The `ports.store.Store` of one workspace in `database`; `texts`: where compiled statements are kept."""

    def __init__(self, database: Database, workspace_id: str, texts: TextFile | None = None) -> None:
        self._database = database
        self._workspace_id = workspace_id
        self._texts = texts
        self._readers = Readers(self._reader, database.path)
        self._writer = Writer(self._writing, database.path, database.busy_timeout)

    def prepare(self) -> None:
        """Make sure that the tables are what this version needs, and look for compiled statements."""
        if self._texts is not None:
            self._texts.load()
        tx = self._reader()
        try:
            ensure_head(self._database, tx.connection)
        finally:
            self._readers.give(tx)

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in the next shared commit; return when it is on disk."""
        return await self._on_writer(work)

    def write_now(self, work: Callable[[Tx], T]) -> T:
        """The same for callers without an event loop."""
        from concurrent.futures import Future

        future: Future[T] = Future()
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

    def used(self) -> int:
        """Bytes of the file that hold something."""
        return self._readers.read(lambda tx: used(tx.connection))

    async def shrink(self, spare: int) -> int:
        """Give freed space back to the disk, in one short commit, but for `spare` bytes; how many bytes went."""
        import asyncio

        freed = await self._on_writer(lambda tx: shrink(tx.connection, spare))
        if freed:  # the file itself is cut when the log is moved into it
            await asyncio.to_thread(self._checkpoint)
        return freed

    def _checkpoint(self) -> None:
        connection = self._database.connect(write=True)
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()

    async def _on_writer(self, work: Callable[[SqlTx], T]) -> T:
        import asyncio  # heavy, and whoever is here has it already

        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writer.submit(work, future, loop)
        return await future

    def close(self) -> None:
        """Finish what is queued and close."""
        self._writer.close()
        self._readers.close()
        if self._texts is not None and not self._database.read_only:
            self._texts.keep()

    def _reader(self) -> SqlTx:
        return SqlTx(self._database.connect(), self._workspace_id, self._database.path)

    def _writing(self) -> SqlTx:
        connection = self._database.connect(write=True)
        connection.execute("PRAGMA busy_timeout=0")  # the writer waits in its own way
        return SqlTx(connection, self._workspace_id, self._database.path)
