"""Hot reload: job files and rota.yaml are read again soon after they change, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from rota.app.settings import settings_in_force
from rota.app.sync import Report, sync
from rota.app.wiring import App
from rota.engine.core import Engine
from rota.workspace.jobfiles import stamp_of

# Job files are also looked at without a sign of change: on some file systems there is none.
RESCAN = 60.0
# rota.yaml is asked for its stamp: to watch its folder would be to watch every write of the state.
POLL = 1.0
# Editors and git change several files, or one in several moves: wait until they are done.
SETTLE = 0.15
# Milliseconds between two looks of the library at what the system reported: a wake-up each, for ever.
STEP = 250
RETRY = 5.0
log = structlog.get_logger("rota.watcher")


def reload(app: App, engine: Engine | None = None) -> Report:
    """Settings first, then job files, since their zone and channels depend on them."""
    before = app.config
    app.use(settings_in_force(app))
    if engine is not None and app.config != before:
        engine.use(app.config)
        log.info("settings_changed")
    return sync(app)


class Watcher:
    """Keeps the registry like the files. `on_report` is told of every sync that found something."""

    def __init__(self, app: App, engine: Engine, on_report: Callable[[Report], None]) -> None:
        self._app = app
        self._engine = engine
        self._on_report = on_report
        self._one_at_a_time = asyncio.Lock()
        self._said: tuple[str, ...] = ()

    async def sync(self) -> None:
        """Read what changed. A broken file changes nothing but what is shown; a slow one delays nobody."""
        async with self._one_at_a_time:
            try:
                report = await asyncio.to_thread(reload, self._app, self._engine)
            except Exception:
                log.exception("sync_failed")
                return
        errors = tuple(str(error) for error in report.errors)
        news = errors != self._said
        self._said = errors
        if news:
            for error in report.errors:
                log.warning("job_file_broken", file=error.file, line=error.line, error=str(error))
        if not report.quiet:
            log.info("jobs_synced", added=report.added, changed=report.changed, removed=report.removed)
        if not report.quiet or (news and errors):
            self._on_report(report)
        self._engine.nudge()

    async def watch(self, stop: asyncio.Event) -> None:
        """Sync after every change, until cancelled."""
        await asyncio.gather(self._files(stop), self._settings(), self._rescan())

    async def _files(self, stop: asyncio.Event) -> None:
        from watchfiles import awatch

        layout = self._app.layout
        while not stop.is_set():
            try:
                for folder in (layout.jobs, layout.hooks):
                    folder.mkdir(exist_ok=True)
                async for _ in awatch(
                    layout.jobs, layout.hooks, recursive=False, step=STEP, debounce=2 * STEP, stop_event=stop
                ):
                    await asyncio.sleep(SETTLE)
                    await self.sync()
            except Exception:
                log.exception("watcher_failed", retry_in=RETRY)
            await asyncio.sleep(RETRY)

    async def _settings(self) -> None:
        seen = stamp_of(self._app.layout.config)
        while True:
            await asyncio.sleep(POLL)
            stamp = stamp_of(self._app.layout.config)
            if stamp != seen:
                seen = stamp
                await asyncio.sleep(SETTLE)
                await self.sync()

    async def _rescan(self) -> None:
        while True:
            await asyncio.sleep(RESCAN)
            await self.sync()
