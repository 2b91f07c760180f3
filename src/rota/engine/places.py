"""Places for calls: a few at once, and more while those are held for long, so that long ones never hold up the others."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# A call that takes longer is a long one. Short ones, however many, are served by few hosts: many new hosts
# at once would only hinder each other.
LONG = 0.1


class Place:
    """One call's place. `counts`: it is one of the few, until the call turns out long."""

    def __init__(self, on_long: Callable[[], None]) -> None:
        self.counts = True
        self._on_long = on_long
        self._timer: asyncio.TimerHandle | None = None

    def at_work(self, after: float = 0.0) -> None:
        """The call begins now, or in `after` seconds: from then on it may turn out long."""
        self._timer = asyncio.get_running_loop().call_later(after + LONG, self._is_long)

    def leave(self) -> None:
        """The call is over."""
        if self._timer is not None:
            self._timer.cancel()

    def _is_long(self) -> None:
        self.counts = False
        self._on_long()


class Places:
    """`size` places for short calls, and up to `most()` in all, as calls turn out long. First come, first served."""

    def __init__(self, size: int, most: Callable[[], int]) -> None:
        self._size = size
        self._most = most
        self._line: deque[asyncio.Future[None]] = deque()
        self._short = 0
        self.taken = 0

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Place]:
        """Wait for a place; it is free again afterwards."""
        if self._line or not self._take():
            await self._queue()
        place = Place(self._one_is_long)
        try:
            yield place
        finally:
            place.leave()
            self._free(counts=place.counts)

    async def _queue(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._line:
                self._line.remove(turn)
            elif not turn.cancelled():  # it got a place in the same moment
                self._free(counts=True)
            raise

    def _take(self) -> bool:
        if self._short >= self._size or self.taken >= max(self._size, self._most()):
            return False
        self._short += 1
        self.taken += 1
        return True

    def _one_is_long(self) -> None:
        self._short -= 1
        self._admit()

    def _free(self, *, counts: bool) -> None:
        self._short -= counts
        self.taken -= 1
        self._admit()

    def _admit(self) -> None:
        """Give what is free to the first in the line."""
        while self._line and self._take():
            turn = self._line.popleft()
            if turn.cancelled():
                self._short -= 1
                self.taken -= 1
            else:
                turn.set_result(None)
