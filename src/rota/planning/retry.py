"""Whether a failed attempt is followed by another, and when."""

from __future__ import annotations

from rota.model.job import Retry


def delay(retry: Retry, attempt: int, spread: float, retry_after: float | None = None) -> float | None:
    """Seconds to wait after attempt number `attempt` (from 1) failed; None: no more tries.

    `spread` in [0, 1) jitters the wait over [50 %, 100 %] of its length, so that jobs that failed
    together do not come back together. A wait that the other side asked for is a lower bound.
    """
    if attempt >= retry.attempts:
        return None
    factor = 2.0 ** min(attempt - 1, 32) if retry.backoff == "exponential" else 1.0
    wait = min(retry.first * factor, retry.max) * (0.5 + spread / 2)
    return max(wait, retry_after or 0.0)
