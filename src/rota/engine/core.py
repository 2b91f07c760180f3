"""The engine: the loops around one store, and the same passes without loops for `rota tick` and `rota run`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from rota.engine.definitions import Definitions
from rota.engine.dispatcher import Dispatcher
from rota.engine.executor import Executor
from rota.engine.outbox import Outbox
from rota.engine.ownership import LEASE
from rota.engine.recovery import Recovery
from rota.engine.retention import Retention
from rota.engine.scheduler import Scheduler
from rota.model.config import WorkspaceConfig
from rota.model.instants import SECOND, Micros
from rota.model.run import RunState
from rota.ports.clock import Clock, seconds_until
from rota.ports.steps import Services
from rota.ports.store import Store

# No loop sleeps longer: the wall clock may be moved, or the machine suspended, while it does.
MAX_SLEEP = 30.0
POLL = 1.0
RECOVERY_EVERY = 10.0
RETENTION_EVERY = 3600.0
log = structlog.get_logger("rota.engine")


class Engine:
    """Everything that makes jobs run in one workspace. `owner` is this process's live claim."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        services: Services,
        *,
        workspace: Path,
        config: WorkspaceConfig,
        owner: str,
        owners: Path,
        only: str | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.services = services
        self.config = config
        self._only = only

        def current() -> WorkspaceConfig:
            return self.config

        definitions = Definitions(store)
        self.scheduler = Scheduler(store, clock, definitions)
        self.executor = Executor(store, clock, definitions, services, workspace=workspace, config=current)
        self.dispatcher = Dispatcher(
            store, clock, definitions, self.executor, owner=owner, config=current, only=only
        )
        self.outbox = Outbox(store, clock, services, workspace=workspace, config=current)
        self.recovery = Recovery(
            store, clock, services.processes, owner=owner, owners=owners, workspace=workspace
        )
        self.retention = Retention(store, clock, workspace=workspace, config=current)
        self._wakes = {name: asyncio.Event() for name in ("scheduler", "dispatcher", "outbox")}
        self.executor.on_end = self._run_ended

    def use(self, config: WorkspaceConfig) -> None:
        """New settings, from now on."""
        self.config = config

    def nudge(self) -> None:
        """Something changed in the store: look at once."""
        for wake in self._wakes.values():
            wake.set()

    def _run_ended(self) -> None:
        self._wakes["dispatcher"].set()
        self._wakes["outbox"].set()

    async def serve(self, stop: asyncio.Event) -> None:
        """Run every loop until `stop` is set; then take nothing new, and end what runs within the grace."""
        await self.recovery.run_once()
        loops = [
            self._loop("scheduler", self._schedule),
            self._loop("dispatcher", self.dispatcher.run_once),
            self._loop("outbox", self.outbox.run_once),
            self._every("lease", LEASE / SECOND / 3, self.dispatcher.renew),
            self._every("recovery", RECOVERY_EVERY, self._recover),
            self._every("retention", RETENTION_EVERY, self.retention.run_once),
            self._every("changes", POLL, self._watch_store()),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            await stop.wait()
        finally:
            self.dispatcher.accepting = False
            for task in (tasks[0], tasks[2]):
                task.cancel()
            await self.executor.drain(self.config.shutdown_grace)
            await self.outbox.drain(2.0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.services.hosts.close()

    async def run_dry(self, *, schedule: bool) -> None:
        """Passes without loops until nothing is left to start: `rota tick`, or one run in the foreground."""
        try:
            if schedule:
                await self.recovery.run_once()
                await self.scheduler.run_once()
            renewing = asyncio.create_task(self._every("lease", LEASE / SECOND / 3, self.dispatcher.renew))
            try:
                await self._run_dry()
            finally:
                renewing.cancel()
        finally:
            await self.executor.drain(0.0)
            await self.outbox.drain(30.0)
            await self.services.hosts.close()

    async def _run_dry(self) -> None:
        while True:
            was_idle = not self.executor.active  # else a run that ends meanwhile may have queued another
            await self.dispatcher.run_once()
            await self.outbox.run_once()
            if was_idle and not self.executor.active and not self._still_to_come():
                return
            await self.clock.sleep(POLL / 2, self._wakes["dispatcher"])

    def _still_to_come(self) -> bool:
        """Whether the one run that this process is for has yet to go on: a retry, or a place to run in."""
        if self._only is None:
            return False
        run = self.store.read(lambda tx: tx.runs.get(self._only or ""))
        if run is None:
            return False
        return run.state is RunState.QUEUED or (run.state is RunState.WAITING and run.not_before is not None)

    async def _schedule(self) -> Micros | None:
        due = await self.scheduler.run_once()
        self._wakes["dispatcher"].set()
        return due

    async def _recover(self) -> None:
        if await self.recovery.run_once():
            self.nudge()

    def _watch_store(self) -> Callable[[], Awaitable[None]]:
        seen = self.store.version()

        async def look() -> None:
            nonlocal seen
            version = self.store.version()
            if version != seen:
                seen = version
                self.nudge()

        return look

    async def _loop(self, name: str, run_once: Callable[[], Awaitable[Micros | None]]) -> None:
        """`run_once` again and again, sleeping until the instant that it names, or until woken."""
        failures = 0
        while True:
            try:
                wake_at = await run_once()
                failures = 0
                pause = MAX_SLEEP
                if wake_at is not None:
                    pause = min(MAX_SLEEP, max(0.0, seconds_until(wake_at, self.clock.now())))
            except Exception:
                failures += 1
                pause = min(MAX_SLEEP, 2.0**failures / 4)
                log.exception("loop_failed", loop=name, retry_in=pause)
                await self.clock.sleep(pause)
                continue
            await self.clock.sleep(pause, self._wakes[name])

    async def _every(self, name: str, seconds: float, run_once: Callable[[], Awaitable[object]]) -> None:
        while True:
            await self.clock.sleep(seconds)
            try:
                await run_once()
            except Exception:
                log.exception("loop_failed", loop=name)
