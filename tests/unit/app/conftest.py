"""An open workspace for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.opened import Opened


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """A new workspace with a clock that stands still."""
    made = Opened(tmp_path / "work")
    yield made
    made.app.close()
