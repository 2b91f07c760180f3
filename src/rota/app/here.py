"""Work that a command does itself, in its own process, with the real processes and hosts."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from rota.app.logs import quiet_logging
from rota.app.wiring import App, build_services
from rota.engine.process_tree import become_subreaper
from rota.ports.steps import Services


@asynccontextmanager
async def services_here(app: App) -> AsyncIterator[Services]:
    """The services for the current asyncio task; it is cancelled on Ctrl-C, and whatever was started is ended."""
    quiet_logging()
    become_subreaper()
    services = build_services(app)
    task = asyncio.current_task()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError):  # not the main thread
            asyncio.get_running_loop().add_signal_handler(number, task.cancel if task else int)
    try:
        yield services
    finally:
        await services.hosts.close()
        await services.processes.close()
