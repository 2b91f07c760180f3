"""The daemon: one asyncio process that holds the workspace's lock and runs the engine until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import structlog

from rota.app.control import DaemonInfo, hold_lock, nudges
from rota.app.deeds import settle
from rota.app.freshness import Freshness
from rota.app.init import write_schemas
from rota.app.logs import set_up_logging
from rota.app.receiving import Gate
from rota.app.sync import Report
from rota.app.systemd import ServiceManager
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
FIRST_SYNC = 5.0
STATUS_EVERY = 10.0
CLOSING = 6.0  # seconds that the door has to answer what is under way
# Seconds that a busy thread keeps the interpreter from one that waits for it. The store's writer asks for it after
# every statement: with Python's own 5 ms, a row took it 0.9 ms beside a busy loop, with this 0.05.
SWITCH = 0.0005
# New objects between two looks for garbage. With Python's own 700, the thousand runs that are in progress under load
# are walked again and again: 9,200 Python runs a second, 11,200 with this.
GARBAGE = 10_000
log = structlog.get_logger("rota.daemon")


class Door(Protocol):
    """What takes requests from outside, and hands them to the app."""

    async def open(self, gate: Gate) -> None:
        """Open it, if it is to be; where that does not work, `serve` tries again."""
        ...

    async def serve(self, gate: Gate, stop: asyncio.Event) -> None:
        """Keep it open until `stop` is set; return when what was under way is answered."""
        ...


class Daemon:
    """One life of the daemon. `on_ready` is called, in a thread, when every loop runs; `on_report` after every sync."""

    def __init__(
        self,
        app: App,
        door: Door,
        *,
        on_ready: Callable[[], None],
        on_report: Callable[[Report], None],
        echo: bool,
    ) -> None:
        self._app = app
        self._door = door
        self._on_ready = on_ready
        self._on_report = on_report
        self._echo = echo
        self._stop = asyncio.Event()
        self._manager = ServiceManager()
        self.id = secrets.token_hex(8)

    async def run(self) -> None:
        """Live. Raises ConflictError when another daemon does."""
        app = self._app
        info = DaemonInfo(os.getpid(), app.clock.now(), version())
        with hold_lock(app.layout, info), Owner(app.layout.owners) as owner, nudges(app.layout) as nudged:
            set_up_logging(app.layout, app.config.limits.daemon_log, echo=self._echo)
            become_subreaper()
            sys.setswitchinterval(SWITCH)
            self._record(info)
            log.info("daemon_started", pid=info.pid, version=info.version, workspace=str(app.layout.root))
            engine = build_engine(app, owner.id)
            watcher = Watcher(app, engine, self._on_report)
            loop = asyncio.get_running_loop()
            with self._signals(loop, engine, watcher):
                first = asyncio.create_task(watcher.sync())
                # A file that takes long to read holds up itself; the other jobs go on as they are known.
                await asyncio.wait({first}, timeout=FIRST_SYNC)
                write_schemas(app.layout)
                self._settle()
                await engine.scheduler.daemon_started(self.id)
                loop.add_reader(nudged, partial(_drain, nudged, engine))
                await self._live(engine, watcher)
                loop.remove_reader(nudged)
            self._record(info, stopped=True)
            log.info("daemon_stopped", pid=info.pid)

    async def _live(self, engine: Engine, watcher: Watcher) -> None:
        freshness = Freshness(self._app, engine.services.hosts)
        works = [
            watcher.watch(self._stop),
            freshness.keep(self._stop),
            self._heartbeat(),
            self._report_to_manager(engine),
        ]
        tasks = [asyncio.create_task(work) for work in works]
        gate = Gate(self._app, engine)
        await self._open_door(gate)
        door = asyncio.create_task(self._door.serve(gate, self._stop))
        self._manager.ready("serving")
        # Beside the loops: to count a million jobs takes half a second, in which nothing would start.
        telling = asyncio.create_task(asyncio.to_thread(self._tell_ready))
        # What is loaded by now stays. To walk all of it for garbage takes 65 ms each time, in which nobody is answered.
        gc.freeze()
        gc.set_threshold(GARBAGE, 10, 10)
        try:
            await engine.serve(self._stop)
        finally:
            await asyncio.wait({door}, timeout=CLOSING)
            for task in (*tasks, door):
                task.cancel()
            await asyncio.gather(*tasks, door, telling, return_exceptions=True)

    def _tell_ready(self) -> None:
        try:
            self._on_ready()
        except Exception:  # it is told by `rota status` as well
            log.exception("ready_not_told")

    async def _open_door(self, gate: Gate) -> None:
        try:
            await self._door.open(gate)
        except Exception:  # what fires by the clock does so all the same
            log.exception("door_failed")

    @contextlib.contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop, engine: Engine, watcher: Watcher) -> Iterator[None]:
        """SIGTERM and SIGINT end the daemon, SIGHUP has it read everything again."""
        reloading: set[asyncio.Task[None]] = set()

        async def reload() -> None:
            self._manager.reloading()
            await watcher.sync()
            self._manager.ready("serving")

        def hang_up() -> None:
            if not self._stop.is_set():
                task = loop.create_task(reload())
                reloading.add(task)
                task.add_done_callback(reloading.discard)

        ends = (signal.SIGTERM, signal.SIGINT)

        def end() -> None:
            if not self._stop.is_set():
                self._end(engine)
                return
            log.warning("daemon_hurries", running=len(engine.work.active))
            engine.hurry()
            for number in ends:  # a third one ends the process itself; its children go with it
                loop.remove_signal_handler(number)

        for number in ends:
            loop.add_signal_handler(number, end)
        loop.add_signal_handler(signal.SIGHUP, hang_up)
        try:
            yield
        finally:
            for number in (*ends, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _settle(self) -> None:
        """Finish what of agents' proposals a crash left half done."""
        try:
            settle(self._app)
        except Exception:  # a proposal that cannot be settled keeps no job from running
            log.exception("proposals_not_settled")

    def _end(self, engine: Engine) -> None:
        """Nothing new is started, what runs gets the grace."""
        self._stop.set()
        running = len(engine.work.active)
        log.info("daemon_stops", running=running, grace=self._app.config.shutdown_grace)
        self._manager.stopping(f"waiting for {_runs(running)}" if running else "ending")

    async def _report_to_manager(self, engine: Engine) -> None:
        """Tell the service manager what goes on; and that we are not stuck, only while no loop is."""
        said = ""
        while True:
            await asyncio.sleep(min(self._manager.ping_every or STATUS_EVERY, STATUS_EVERY))
            overdue = engine.pulse.overdue()
            if self._manager.ping_every is not None and not overdue:
                self._manager.ping()
            running = _runs(len(engine.work.active))
            status = f"stuck: {', '.join(overdue)}" if overdue else f"serving, {running}"
            if status == said or self._stop.is_set():
                continue
            said = status
            self._manager.status(status)
            if overdue:
                log.error("loops_stuck", loops=overdue)

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


def _runs(count: int) -> str:
    return f"{count} run{'' if count == 1 else 's'} in progress"


def _drain(nudged: socket.socket, engine: Engine) -> None:
    with contextlib.suppress(BlockingIOError):
        while nudged.recv(256):
            pass
    engine.nudge()
