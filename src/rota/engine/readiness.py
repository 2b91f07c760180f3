"""Descriptors that are watched for input, many and each for a short while.

An event loop's `add_reader` and `remove_reader` take 40 µs together, twice for each command: a tenth of what
/bin/true cost in all. Where the system has epoll, one of our own is watched by the loop, and holds the rest.
"""

from __future__ import annotations

import asyncio
import select
import sys
from collections.abc import Callable
from contextlib import suppress


class Readiness:
    """What one event loop watches. `callback` is called whenever there is something to read, or an end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._epoll = select.epoll() if sys.platform == "linux" else None
        if self._epoll is not None:
            loop.add_reader(self._epoll.fileno(), self._tell)

    def watch(self, fd: int, callback: Callable[[], object]) -> None:
        """Begin."""
        if self._epoll is None:
            self._loop.add_reader(fd, callback)
            return
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def ignore(self, fd: int) -> None:
        """End, before the descriptor is closed."""
        if self._epoll is None:
            self._loop.remove_reader(fd)
        elif self._callbacks.pop(fd, None) is not None:
            with suppress(OSError):
                self._epoll.unregister(fd)

    def _tell(self) -> None:
        if self._epoll is None:
            return
        for fd, _ in self._epoll.poll(0):
            callback = self._callbacks.get(fd)  # none: an earlier one of this round has closed it
            if callback is not None:
                callback()


_of_loops: dict[asyncio.AbstractEventLoop, Readiness] = {}


def readiness() -> Readiness:
    """That of the running loop."""
    loop = asyncio.get_running_loop()
    found = _of_loops.get(loop)
    if found is None:
        for ended in [other for other in _of_loops if other.is_closed()]:
            del _of_loops[ended]
        found = _of_loops[loop] = Readiness(loop)
    return found
