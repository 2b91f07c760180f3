"""How much work something is: counted, since a clock would judge the machine."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
# Far more calls than a search that skips what cannot match needs, far fewer than one that tries every moment.
AT_ONCE = 2_000_000


def calls_of(work: Callable[[], T]) -> tuple[T, int]:
    """What `work` returns, and how many functions it called, Python's and C's. Raises what it raises."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        result = work()
    finally:
        sys.setprofile(before)
    return result, calls
