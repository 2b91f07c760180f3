"""A bound on the whole of a look, which the libraries' per-read timeouts do not give."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from rota.model.errors import StepError

CONNECT = 15.0
SILENCE = 30.0
T = TypeVar("T")


def within(seconds: float, other_side: str, work: Callable[[], T]) -> T:
    """What `work` returns or raises; StepError (transient) when it takes longer than `seconds`.

    The work itself cannot be stopped: it goes on in its thread, which ends with the host process.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
            future.set_exception(error)

    thread = threading.Thread(target=run, name=f"look at {other_side}", daemon=True)
    thread.start()
    thread.join(seconds)
    if not future.done():
        raise too_slow(other_side, seconds)
    return future.result()


def too_slow(other_side: str, seconds: float) -> StepError:
    """The error of a look that took too long."""
    return StepError(
        f"{other_side} did not answer in full within {seconds:g} s",
        code="timeout",
        hint="it is tried again where the step has a `retry:`; `give_up_after:` of the source allows more time",
    )
