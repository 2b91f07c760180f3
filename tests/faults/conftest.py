"""A workspace for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import paying
from tests.support.rota import Rota, new_workspace

# Their programs are killed, and so tell nothing of their lines; or they wait for the clock with lines that others try.
UNMEASURED = frozenset({"clock", "crash_points", "random_kills", "stampede", "storm"})


@pytest.fixture(autouse=True)
def _some_children_are_not_measured(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring takes nearly as long again as what is measured."""
    if request.path.stem.removeprefix("test_faults_") not in UNMEASURED:
        return
    for name in ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    """`rota` in a new, empty workspace."""
    with new_workspace(tmp_path / "work") as driver:
        yield driver
    paying.forget()
