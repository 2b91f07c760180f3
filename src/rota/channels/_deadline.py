"""A bound on the whole of a delivery, which the libraries' per-read timeouts do not give."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from rota.model.errors import StepError

CONNECT = 10.0
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

    thread = threading.Thread(target=run, name=f"deliver to {other_side}", daemon=True)
    thread.start()
    thread.join(seconds)
    if not future.done():
        raise no_answer(other_side, seconds)
    return future.result()


def no_answer(other_side: str, seconds: float) -> StepError:
    """The error of a delivery that took too long."""
    return StepError(f"{other_side} gave no answer within {seconds:g} s", code="unavailable", permanent=False)
