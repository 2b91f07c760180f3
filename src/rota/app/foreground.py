"""Without a daemon: one pass over everything that is due (`rota tick`), or one run here and now."""

from __future__ import annotations

import asyncio
import signal

from rota.app.logs import quiet_logging
from rota.app.queries import find_run
from rota.app.watcher import reload
from rota.app.wiring import App, build_engine
from rota.engine.core import Engine
from rota.engine.executor import Stop
from rota.engine.ownership import Owner
from rota.engine.process_tree import become_subreaper
from rota.model.run import Run


async def tick(app: App) -> list[Run]:
    """Sync, schedule what is due, run it, deliver messages; the runs that this pass executed.

    Safe beside a daemon or another tick: every move is compare-and-set.
    """
    reload(app)
    executed: list[str] = []
    with Owner(app.layout.owners) as owner:
        engine = _engine(app, owner.id)
        engine.executor.on_start = executed.append
        await engine.run_dry(schedule=True)
    return [find_run(app, run_id) for run_id in dict.fromkeys(executed)]


async def run_here(app: App, run: Run) -> Run:
    """Execute a queued run in this process, and what it sends; the run as it is afterwards.

    Ctrl-C and SIGTERM cancel it: its children are ended first.
    """
    with Owner(app.layout.owners) as owner:
        engine = _engine(app, owner.id, only=run.id)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, engine.work.stop, run.id, Stop.CANCEL)
        await engine.run_dry(schedule=False)
    return find_run(app, run.id)


def _engine(app: App, owner: str, only: str | None = None) -> Engine:
    quiet_logging()
    become_subreaper()
    return build_engine(app, owner, only=only)
