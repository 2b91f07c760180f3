"""Writes of what has happened already, and so must not be given up: a full disk, a locked file pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from rota.model.errors import StoreError
from rota.ports.clock import Clock
from rota.ports.store import Store, Tx

LONGEST = 15.0
T = TypeVar("T")
log = structlog.get_logger("rota.store")


async def write_patiently(store: Store, clock: Clock, work: Callable[[Tx], T]) -> T:
    """`store.write`, again and again while the state cannot be written for the moment.

    Raises what no waiting mends (a StoreError that is permanent, such as LostClaimError).
    """
    pause = 0.25
    while True:
        try:
            return await store.write(work)
        except StoreError as error:
            if error.permanent:
                raise
            log.error("state_not_written", error=str(error), retry_in=pause)  # noqa: TRY400 # one line a try
            await clock.sleep(pause)
            pause = min(2 * pause, LONGEST)
