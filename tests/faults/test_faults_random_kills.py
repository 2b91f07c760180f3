"""kill -9 at moments that nobody chose: a short soak (`make soak` is the long one)."""

from __future__ import annotations

import random
from pathlib import Path

from scripts.soak import soaked


def test_kills_at_random_lose_and_double_nothing(tmp_path: Path) -> None:
    text, well = soaked(tmp_path / "work", kills=8, seed=random.randrange(10_000), seconds=60)
    assert well, text
