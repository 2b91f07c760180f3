"""The engine: the loops around one store, and the same passes without loops for `rota tick` and `rota run`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from rota.engine.definitions import Definitions
from rota.engine.dispatcher import Dispatcher
from rota.engine.environment import workspace_value
from rota.engine.executor import Executor, Stop
from rota.engine.files import FileLooks
from rota.engine.outbox import Outbox
from rota.engine.ownership import LEASE
from rota.engine.plain import PlainRuns
from rota.engine.polls import Polls
from rota.engine.pulse import Pulse
from rota.engine.recovery import Recovery
from rota.engine.retention import Retention
from rota.engine.scheduler import AHEAD, Scheduler
from rota.engine.wallclock import WallWatch
from rota.engine.work import Work
from rota.model.config import WorkspaceConfig
from rota.model.errors import StoreError
from rota.model.instants import SECOND, Micros
from rota.model.run import RunState
from rota.ports.clock import Clock, seconds_until
from rota.ports.looks import WatchedFiles
from rota.ports.steps import Services
from rota.ports.store import Store

# No loop sleeps longer: the wall clock may be moved, or the machine suspended, while it does.
MAX_SLEEP = 30.0
POLL = 1.0
# Seconds between two passes of the dispatcher that start something: the places that become free meanwhile
# are given away together, in one commit.
TURN, LONG_TURN = 0.003, 0.012
RECOVERY_EVERY = 10.0
RETENTION_AFTER = 5.0  # what is due after a start comes first
# For what came by just now, a pass without loops waits so long to settle.
SETTLE_IN_TICK = 10.0
LOOPS = ("scheduler", "dispatcher", "outbox", "retention", "files", "polls")
WATCHED = frozenset({"scheduler", "dispatcher", "outbox", "lease", "changes"})
log = structlog.get_logger("rota.engine")


class Engine:
    """Everything that makes jobs run in one workspace. `owner` is this process's live claim."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        services: Services,
        files: WatchedFiles,
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

        def place() -> dict[str, str]:
            return workspace_value(workspace, self.config)

        definitions = Definitions(store)
        self.scheduler = Scheduler(store, clock, definitions, workspace=place, config=current)
        self.executor = Executor(store, clock, definitions, services, workspace=workspace, config=current)
        plain = PlainRuns(
            store, clock, definitions, services, self.executor, workspace=workspace, config=current
        )
        self.work = Work(self.executor, plain)
        self.dispatcher = Dispatcher(
            store,
            clock,
            definitions,
            self.work,
            owner=owner,
            workspace=workspace,
            config=current,
            only=only,
        )
        self.scheduler.starter = self.dispatcher
        self.outbox = Outbox(store, clock, services, workspace=workspace, config=current)
        self.recovery = Recovery(
            store, clock, definitions, services.processes, owner=owner, owners=owners, workspace=workspace
        )
        self._watched = files
        self.files = FileLooks(store, clock, definitions, files, workspace=place)
        self.polls = Polls(store, clock, definitions, services, workspace=workspace, config=current)
        self.retention = Retention(store, clock, workspace=workspace, config=current)
        self._wakes = {name: asyncio.Event() for name in LOOPS}
        self._connect()
        self.pulse = Pulse(clock)
        self._hurried: asyncio.Future[None] | None = None

    def _connect(self) -> None:
        """Who wakes whom."""
        self.executor.on_end = self.files.on_queued = self.polls.on_queued = self._run_ended
        self.polls.on_ended = self._wakes["polls"].set

    def use(self, config: WorkspaceConfig) -> None:
        """New settings, from now on."""
        self.config = config

    def nudge(self) -> None:
        """Something changed in the store: look at once."""
        self.polls.refresh()
        for wake in self._wakes.values():
            wake.set()

    def runs_queued(self) -> None:
        """Somebody in this process queued runs."""
        self._wakes["dispatcher"].set()

    def _run_ended(self) -> None:
        self._wakes["dispatcher"].set()
        self._wakes["outbox"].set()

    async def serve(self, stop: asyncio.Event) -> None:
        """Run every loop until `stop` is set; then take nothing new, and end what runs within the grace."""
        await self.recovery.run_once()
        self.scheduler.ahead = AHEAD
        loops = [
            self._loop("scheduler", self._schedule),
            self._loop("dispatcher", self._dispatch),
            self._loop("outbox", self.outbox.run_once),
            self._loop("files", self.files.run_once),
            self._loop("polls", self.polls.run_once),
            self._watch_files(),
            self._every("lease", LEASE / SECOND / 3, self.dispatcher.renew),
            self._every("recovery", RECOVERY_EVERY, self._recover),
            self._loop("retention", self.retention.run_when_due, after=RETENTION_AFTER),
            self._every("changes", POLL, self._watch()),
        ]
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            await stop.wait()
        finally:
            self.dispatcher.accepting = False
            self.pulse.stop()
            for task in (tasks[0], *tasks[2:6]):  # what finds work, and what tells of it
                task.cancel()
            await self._stop_looking()
            await self.work.drain(0.0 if self._hurried else self.config.shutdown_grace)
            await self.outbox.drain(0.0 if self._hurried else 2.0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._withdraw()
            await self._close()

    async def _withdraw(self) -> None:
        try:
            await self.dispatcher.withdraw()
        except StoreError as error:  # they are taken over at the next start instead
            log.warning("claims_not_withdrawn", error=str(error))

    async def _stop_looking(self) -> None:
        await self.files.stop()
        await self.polls.stop()

    async def _watch_files(self) -> None:
        """Wake the loop that looks at files when something may have changed in them."""
        changed = asyncio.Event()
        watching = asyncio.create_task(self._watched.wakes(lambda: self.files.watches, changed))
        try:
            while True:
                await changed.wait()
                changed.clear()
                self.files.something_changed()
                self._wakes["files"].set()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def hurry(self) -> None:
        """End without grace: interrupt what runs, and end its processes at once. For a `serve` that was stopped."""
        self.dispatcher.accepting = False
        if self._hurried is None:
            for run_id in self.work.active:
                self.work.stop(run_id, Stop.SHUTDOWN)
            self._hurried = asyncio.ensure_future(self.services.processes.close())

    async def _close(self) -> None:
        if self._hurried is not None:
            await self._hurried
        await self.services.hosts.close()
        await self.services.processes.close()

    async def run_dry(self, *, schedule: bool) -> None:
        """Passes without loops until nothing is left to start: `rota tick`, or one run in the foreground."""
        try:
            if schedule:
                await self.recovery.run_once()
                await self.scheduler.run_once()
                await self.files.settle(SETTLE_IN_TICK)
                await self.polls.run_dry()
            renewing = asyncio.create_task(self._every("lease", LEASE / SECOND / 3, self.dispatcher.renew))
            try:
                await self._run_dry()
            finally:
                renewing.cancel()
            if schedule:
                await self.retention.run_when_due()
        finally:
            await self._stop_looking()
            await self.work.drain(0.0)
            await self.outbox.drain(30.0)
            await self._close()

    async def _run_dry(self) -> None:
        while True:
            was_idle = not self.work.active  # else a run that ends meanwhile may have queued another
            await self.dispatcher.run_once()
            await self.outbox.run_once()
            if was_idle and not self.work.active and not self._still_to_come():
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
        due = await self.scheduler.run_once(spread=True)
        self._wakes["dispatcher"].set()
        return None if due is None else self.scheduler.wake_before(due)

    async def _dispatch(self) -> Micros | None:
        wake_at = await self.dispatcher.run_once()
        if self.dispatcher.started:
            crowded = 2 * len(self.work.active) > self.config.limits.runs
            await asyncio.sleep(LONG_TURN if crowded else TURN)
        return wake_at

    async def _recover(self) -> None:
        if await self.recovery.run_once():
            self.nudge()

    def _watch(self) -> Callable[[], Awaitable[None]]:
        """Looks for what nobody tells us: a commit of another process, a clock that was moved."""
        seen, wall = self.store.version(), WallWatch(self.clock)

        async def look() -> None:
            nonlocal seen
            moved = abs(wall.strayed()) > SECOND
            version = self.store.version()
            if moved or version != seen:
                seen = version
                self.nudge()

        return look

    async def _loop(
        self, name: str, run_once: Callable[[], Awaitable[Micros | None]], *, after: float = 0.0
    ) -> None:
        """`run_once` again and again, sleeping until the instant that it names, or until woken."""
        failures = 0
        if after:
            await self.clock.sleep(after)
        while True:
            self._beat(name)
            try:
                wake_at = await run_once()
                failures = 0
                pause = MAX_SLEEP
                if wake_at is not None:
                    pause = min(MAX_SLEEP, max(0.0, seconds_until(wake_at, self.clock.now())))
            except Exception as error:  # noqa: BLE001 # whatever it is, the loop goes on
                failures += 1
                pause = min(MAX_SLEEP, 2.0**failures / 4)
                _failed(name, error, retry_in=pause)
                self._beat(name, pause)
                await self.clock.sleep(pause)
                continue
            self._beat(name, pause)
            await self.clock.sleep(pause, self._wakes[name])

    async def _every(self, name: str, seconds: float, run_once: Callable[[], Awaitable[object]]) -> None:
        while True:
            self._beat(name, seconds)
            await self.clock.sleep(seconds)
            try:
                await run_once()
            except Exception as error:  # noqa: BLE001 # whatever it is, the loop goes on
                _failed(name, error, retry_in=seconds)

    def _beat(self, loop: str, pause: float = 0.0) -> None:
        if loop in WATCHED:
            self.pulse.beat(loop, pause)


def _failed(loop: str, error: Exception, *, retry_in: float) -> None:
    """Into the log: a full disk or a locked state in one line, what is rota's own fault with its traceback."""
    if isinstance(error, StoreError):
        log.error("state_not_usable", loop=loop, error=str(error), hint=error.hint, retry_in=retry_in)
    else:
        log.error("loop_failed", loop=loop, retry_in=retry_in, exc_info=error)
