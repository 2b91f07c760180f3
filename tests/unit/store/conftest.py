"""A store in a temporary file, with one job `j` whose definition is `h`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rota.model.ledger import JobRecord
from rota.ports.store import Store
from rota.store import open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def open_one(path: Path) -> Iterator[Callable[..., Store]]:
    """Opens stores on the file and closes them in the end."""
    opened: list[Store] = []

    def open_it(
        workspace_id: str = "default", *, read_only: bool = False, busy_timeout: float = 60.0
    ) -> Store:
        opened.append(open_store(path, workspace_id, read_only=read_only, busy_timeout=busy_timeout))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_one: Callable[..., Store]) -> Store:
    store = open_one()
    store.write_now(lambda tx: tx.jobs.put(JobRecord("j", "Job", "{}", "h", "file", 1, 1)))
    return store
