"""Whether a failed attempt (of a step, or of a whole run) is followed by another, and when."""

from __future__ import annotations

import re

from rota.model.failures import Failure
from rota.model.job import Retry
from rota.model.run import RETRY, Run

# No server is waited for longer than this, whatever it asks for, nor by a number that no calendar has.
LONGEST_ASKED = 7 * 86400.0
_KEY = re.compile(r"(.+)#([0-9]+)")


def is_wanted(retry: Retry, failure: Failure) -> bool:
    """Whether a failure that may pass is one that `retry` is for."""
    if any(failure.is_named_by(word) for word in retry.not_on):
        return False
    if not retry.on:
        return not failure.only_if_named
    return any(failure.is_named_by(word) for word in retry.on)


def delay(retry: Retry, attempt: int, spread: float, retry_after: float | None = None) -> float | None:
    """Seconds to wait after attempt number `attempt` (from 1) failed; None: no more tries.

    `spread` in [0, 1) jitters the wait over [50 %, 100 %] of its length, so that jobs that failed
    together do not come back together. A wait that the other side asked for is a lower bound.
    """
    if attempt >= retry.attempts:
        return None
    factor = 2.0 ** min(attempt - 1, 32) if retry.backoff == "exponential" else 1.0
    wait = min(retry.first * factor, retry.max) * (0.5 + spread / 2)
    return max(wait, min(retry_after or 0.0, LONGEST_ASKED))


def attempt_of(run: Run) -> tuple[str, int]:
    """The id of the first run of those that try the same, and which of them (from 1) `run` is."""
    found = _KEY.fullmatch(run.occurrence_key or "") if run.trigger_id == RETRY else None
    return (run.id, 1) if found is None else (found[1], int(found[2]))


def key_of(first_id: str, attempt: int) -> str:
    """The occurrence key of that attempt: the same whoever asks for it, so that there is one run of it."""
    return f"{first_id}#{attempt}"


def in_words(retry: Retry) -> str:
    """What a retry does, in one line: `3 attempts, 10 s apart at first; on timeout, 5xx`."""
    apart = "apart" if retry.backoff == "fixed" or retry.first == retry.max else "apart at first"
    said = f"{retry.attempts} attempts, {retry.first:g} s {apart}"
    said += f"; on {', '.join(retry.on)}" if retry.on else ""
    return said + (f"; not on {', '.join(retry.not_on)}" if retry.not_on else "")
