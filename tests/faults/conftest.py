"""A workspace for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import paying
from tests.support.rota import Rota, new_workspace


@pytest.fixture
def rota(tmp_path: Path) -> Iterator[Rota]:
    """`rota` in a new, empty workspace."""
    with new_workspace(tmp_path / "work") as driver:
        yield driver
    paying.forget()
