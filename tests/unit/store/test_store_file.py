from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from rota.model.errors import StoreError
from rota.model.ledger import Event
from rota.ports.store import Store, Tx
from rota.store import db, open_store
from rota.store.tx import SqlTx

SETTINGS = {"journal_mode": "wal", "synchronous": 2, "fullfsync": 1, "foreign_keys": 1}


def settings(tx: Tx) -> dict[str, Any]:
    connection = cast(SqlTx, tx).connection
    return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in [*SETTINGS, "busy_timeout"]}


def test_what_is_committed_is_on_disk(open_one: Callable[..., Store]) -> None:
    store = open_one(busy_timeout=3)
    assert store.write_now(settings) == {**SETTINGS, "busy_timeout": 0}  # the writer waits in its own way
    assert store.read(settings) == {**SETTINGS, "busy_timeout": 3000}
    assert open_one().read(settings)["busy_timeout"] == 60_000


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o377])
def test_only_the_owner_reads_the_files(open_one: Callable[..., Store], path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        open_one().write_now(lambda tx: tx.cursors.put("x", 1, 1))
    finally:
        os.umask(before)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["state.db", "state.db-shm", "state.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    path = tmp_path / "a?b#c%20 d" / "state.db"
    path.parent.mkdir()
    open_store(path).close()
    assert path.is_file()


def test_a_second_open_finds_everything(open_one: Callable[..., Store], store: Store) -> None:
    store.close()
    assert [job.id for job in open_one().read(lambda tx: tx.jobs.all())] == ["j"]
    assert [job.id for job in open_one(read_only=True).read(lambda tx: tx.jobs.all())] == ["j"]


def refused(path: Path, *, read_only: bool = False, busy_timeout: float = 0.05) -> StoreError:
    with pytest.raises(StoreError) as caught:
        open_store(path, read_only=read_only, busy_timeout=busy_timeout)
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


def test_a_file_of_something_else(path: Path) -> None:
    path.write_bytes(os.urandom(8192))
    assert refused(path).code == "store_not_a_database"
    assert len(path.read_bytes()) == 8192


def test_a_database_of_something_else(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title)")
    assert "something other than rota" in refused(path).message


def test_a_damaged_file(path: Path, store: Store) -> None:
    store.write_now(lambda tx: tx.cursors.put("x", "y" * 100_000, 1))
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert refused(path).code == "store_corrupt"


def test_checking_the_file(open_one: Callable[..., Store], path: Path, store: Store) -> None:
    assert store.check() is None
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO triggers VALUES ('default', 'none', 't', 'cron', '', '', NULL, 1, 1, 1)"
        )
    assert store.check() == "a row of triggers refers to a row of jobs that is not there"
    with sqlite3.connect(path) as connection:  # as if the index had lost its rows
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute("UPDATE sqlite_master SET rootpage = 3 WHERE name = 'triggers_due'")
    damage = open_one().check()
    assert damage is not None
    assert "\n" not in damage


def test_no_folder(tmp_path: Path) -> None:
    assert "rota init" in str(refused(tmp_path / "none" / "state.db").hint)


def test_no_state_to_read(path: Path) -> None:
    assert "there is no state" in refused(path, read_only=True).message
    assert not path.exists()


def test_a_folder_in_its_place(path: Path) -> None:
    path.mkdir()
    assert refused(path).code == "store_cannot_open"


def test_a_newer_state_asks_for_a_newer_rota(path: Path, store: Store) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    error = refused(path)
    assert (error.code, error.hint, error.permanent) == ("store_newer", "update rota", True)


def test_an_older_state_is_not_touched_by_a_reader(path: Path) -> None:
    path.touch()
    assert refused(path, read_only=True).code == "store_older"
    assert path.stat().st_size == 0


def test_a_store_that_was_opened_to_read(open_one: Callable[..., Store], store: Store) -> None:
    reader = open_one(read_only=True)
    with pytest.raises(StoreError) as caught:
        reader.write_now(lambda tx: tx.events.append(Event("x", 1)))
    assert caught.value.code == "store_read_only"
    first = reader.version()
    store.write_now(lambda tx: tx.events.append(Event("x", 1)))
    assert reader.version() != first


def test_a_lock_past_the_timeout(open_one: Callable[..., Store], path: Path) -> None:
    store = open_one(busy_timeout=0.05)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked by another process") as caught:
        store.write_now(lambda tx: tx.events.append(Event("x", 1)))
    assert (caught.value.code, caught.value.permanent) == ("store_locked", False)
    assert store.read(lambda tx: tx.events.after(0)) == []  # readers do not mind
    blocker.execute("COMMIT")
    blocker.close()
    assert store.write_now(lambda tx: tx.events.append(Event("x", 1)))


def test_an_unknown_failure_still_reads_well(path: Path) -> None:
    error = db.store_error(sqlite3.ProgrammingError("Cannot operate on a closed database."), path)
    assert str(error) == f"the state at {path} failed: Cannot operate on a closed database."
    assert error.hint


def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(StoreError, match="too old"):
        open_store(path)


OPEN = """
import sys, time
from pathlib import Path
from rota.model.ledger import Event
from rota.store import open_store
while time.time() < float(sys.argv[2]):
    pass
store = open_store(Path(sys.argv[1]))
store.write_now(lambda tx: tx.events.append(Event("opened", 1)))
store.close()
print("alembic" in sys.modules)
"""


def test_processes_that_open_a_new_store_at_once(path: Path, open_one: Callable[..., Store]) -> None:
    command = [sys.executable, "-c", OPEN, str(path), str(time.time() + 1.5)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [err.decode() for _, err in outputs] == [""] * 4
    assert len(open_one().read(lambda tx: tx.events.after(0))) == 4


def test_neither_a_new_nor_a_current_store_needs_alembic(path: Path) -> None:
    for _ in ("new", "current"):
        ended = subprocess.run(
            [sys.executable, "-c", OPEN, str(path), "0"], capture_output=True, text=True, check=True
        )
        assert ended.stdout == "False\n"
