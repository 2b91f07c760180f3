"""A call in a host under limits: looked at while it lasts, and ended when it goes beyond."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from rota.engine.limits import Caps, overrun
from rota.engine.process_tree import Tree
from rota.engine.processes import undisturbed
from rota.model.job import ProcessLimits

_EVERY = 0.2
_SHARE = 10  # the looks may cost a tenth of a processor
_PATIENCE = 10.0


class Watch:
    """Watches one tree. `overrun`: the limit that it went beyond, memory or processes; then it was killed."""

    def __init__(self, tree: Tree, limits: ProcessLimits) -> None:
        self._tree = tree
        self._caps = Caps(memory=limits.memory, processes=limits.processes)
        self._over = asyncio.Event()
        self.overrun: str | None = None

    async def _serve(self) -> None:
        pause = _EVERY
        while not self._over.is_set() and self.overrun is None:
            try:
                async with asyncio.timeout(pause):
                    await self._over.wait()
            except TimeoutError:
                begun = time.monotonic()
                await asyncio.to_thread(self._look)
                pause = max(_EVERY, (time.monotonic() - begun) * _SHARE)

    def _look(self) -> None:
        self.overrun = overrun(self._tree.scan(), self._caps)
        if self.overrun is not None:
            # No SIGTERM: its parts would end one by one, and what is left call it a success.
            self._tree.kill(_PATIENCE)

    async def _finish(self, serving: asyncio.Task[None]) -> None:
        self._over.set()
        await serving


@asynccontextmanager
async def watched(tree: Tree, limits: ProcessLimits | None) -> AsyncIterator[Watch]:
    """Keep `limits` while the body lasts. When it is left, nobody looks at the tree any more."""
    watch = Watch(tree, limits or ProcessLimits())
    if limits is None or (limits.memory is None and limits.processes is None):
        yield watch
        return
    serving = asyncio.create_task(watch._serve())
    try:
        yield watch
    finally:
        await undisturbed(partial(watch._finish, serving))
