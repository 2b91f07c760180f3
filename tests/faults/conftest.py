"""A workspace for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import paying
from tests.support.rota import Rota, new_workspace


@pytest.fixture(autouse=True)
def _children_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are killed tell nothing of their lines, and measuring takes as long again as their work."""
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    """`rota` in a new, empty workspace."""
    with new_workspace(tmp_path / "work") as driver:
        yield driver
    paying.forget()
