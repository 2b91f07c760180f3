"""How long a run has been at work: the time that counts against its timeout."""

from __future__ import annotations

from collections.abc import Iterable

from rota.model.instants import Micros
from rota.model.run import Attempt


def worked(attempts: Iterable[Attempt]) -> Micros:
    """The time in which at least one attempt was under way; waits for a person or a retry are not in it."""
    total, reached = 0, 0
    spans = sorted((a.started_at, a.finished_at) for a in attempts if a.finished_at is not None)
    for start, end in spans:
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
