"""The daemon: one asyncio process that holds the workspace's lock and runs the engine until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial

import structlog

from rota.app.control import DaemonInfo, hold_lock, nudges
from rota.app.init import write_schemas
from rota.app.logs import set_up_logging
from rota.app.sync import Report
from rota.app.version import version
from rota.app.watcher import Watcher
from rota.app.wiring import App, build_engine
from rota.engine.core import Engine
from rota.engine.ownership import Owner
from rota.engine.process_tree import become_subreaper
from rota.model.instants import Micros
from rota.model.ledger import DaemonRecord, Event
from rota.ports.store import Tx

HEARTBEAT = 60.0
log = structlog.get_logger("rota.daemon")


class Daemon:
    """One life of the daemon. `on_ready` is called when every loop runs; `on_report` after every sync."""

    def __init__(
        self, app: App, *, on_ready: Callable[[], None], on_report: Callable[[Report], None], echo: bool
    ) -> None:
        self._app = app
        self._on_ready = on_ready
        self._on_report = on_report
        self._echo = echo
        self._stop = asyncio.Event()
        self.id = secrets.token_hex(8)

    def stop(self) -> None:
        """End: nothing new is started, what runs gets the grace."""
        self._stop.set()

    async def run(self) -> None:
        """Live. Raises ConflictError when another daemon does."""
        app = self._app
        info = DaemonInfo(os.getpid(), app.clock.now(), version())
        with hold_lock(app.layout, info), Owner(app.layout.owners) as owner, nudges(app.layout) as nudged:
            set_up_logging(app.layout, app.config.limits.daemon_log, echo=self._echo)
            become_subreaper()
            self._record(info)
            log.info("daemon_started", pid=info.pid, version=info.version, workspace=str(app.layout.root))
            engine = build_engine(app, owner.id)
            watcher = Watcher(app, engine, self._on_report)
            await watcher.sync()
            write_schemas(app.layout)
            await engine.scheduler.daemon_started(self.id)
            loop = asyncio.get_running_loop()
            loop.add_reader(nudged, partial(_drain, nudged, engine))
            with self._signals(loop, watcher):
                await self._live(engine, watcher)
            loop.remove_reader(nudged)
            self._record(info, stopped=True)
            log.info("daemon_stopped", pid=info.pid)

    async def _live(self, engine: Engine, watcher: Watcher) -> None:
        tasks = [asyncio.create_task(watcher.watch(self._stop)), asyncio.create_task(self._heartbeat())]
        self._on_ready()
        try:
            await engine.serve(self._stop)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop, watcher: Watcher) -> Iterator[None]:
        """SIGTERM and SIGINT end the daemon, SIGHUP has it read everything again."""
        syncing: set[asyncio.Task[None]] = set()

        def sync() -> None:
            task = loop.create_task(watcher.sync())
            syncing.add(task)
            task.add_done_callback(syncing.discard)

        handlers = {signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: sync}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _record(self, info: DaemonInfo, *, stopped: bool = False) -> None:
        now = self._app.clock.now()
        life = DaemonRecord(
            self.id, info.pid, socket.gethostname(), info.started_at, now, now if stopped else None
        )

        def put(tx: Tx) -> None:
            tx.daemons.put(life)
            kind = "daemon_stopped" if stopped else "daemon_started"
            tx.events.append(Event(kind, now, data={"pid": info.pid}))

        self._app.store.write_now(put)

    async def _heartbeat(self) -> None:
        """Leave word of being alive, so that `rota why` can say since when nobody was."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            now = self._app.clock.now()
            try:
                await self._app.store.write(partial(_seen, daemon_id=self.id, now=now))
            except Exception:
                log.exception("heartbeat_failed")


def _seen(tx: Tx, daemon_id: str, now: Micros) -> None:
    tx.daemons.seen(daemon_id, now)


def _drain(nudged: socket.socket, engine: Engine) -> None:
    with contextlib.suppress(BlockingIOError):
        while nudged.recv(256):
            pass
    engine.nudge()
