"""The daemon keeps the index of the workspace's files up to date: soon after they change, at low priority, in a host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from rota.app.wiring import App
from rota.model.config import IndexConfig
from rota.model.errors import RotaError
from rota.model.job import ProcessLimits
from rota.ports.processes import HostCall, Hosts
from rota.workspace.layout import Layout

TARGET = "rota.workspace.index.hosted:build_index"
# There is nothing to keep fresh until somebody has searched: how often is looked whether somebody has.
LOOK = 10.0
# Files come in swarms (a sync, a checkout, a recording in parts): wait until the swarm is over.
SETTLE = 3.0
# However much changes, no more than one part in eleven of one core goes into the index.
REST = 10.0
LEAST_REST = 5.0
# Some file systems report no changes, and some workspaces have more folders than can be watched.
RESCAN = 600.0
RETRY = 60.0
STEP = 1_000  # ms between two looks of the library at what the system reported
MEMORY = 1_500_000_000
log = structlog.get_logger("rota.index")

Changes = AsyncGenerator[Any, None]


class Freshness:
    """One workspace's index, kept fresh while there is one and `index.watch` says so."""

    def __init__(self, app: App, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts
        self._said: list[str] = []

    async def keep(self, stop: asyncio.Event) -> None:
        """Index after changes, until cancelled. Whatever goes wrong is logged, and tried again."""
        while not stop.is_set():
            try:
                if self._wanted():
                    await self._follow(stop)
                await asyncio.sleep(LOOK)
            except RotaError as error:
                log.warning("index_not_updated", error=str(error), hint=error.hint, retry_in=RETRY)
                await asyncio.sleep(RETRY)
            except Exception:
                log.exception("index_not_updated", retry_in=RETRY)
                await asyncio.sleep(RETRY)

    def _wanted(self) -> bool:
        return self._app.config.index.watch and _index(self._app.layout).exists()

    async def _follow(self, stop: asyncio.Event) -> None:
        """Index, watch the folders that were seen, index again after a change; with a new watch when that is over."""
        folders, _ = await self._update()
        while not stop.is_set() and self._wanted():
            watched, settings = folders, self._app.config.index
            async with aclosing(_changes(self._app.layout.root, watched, stop)) as changes:
                # What changed between that look and the watch is seen by this one.
                folders, rest = await self._update()
                while folders == watched:
                    await asyncio.sleep(rest)
                    if not await self._changed(changes, settings):
                        break
                    await asyncio.sleep(SETTLE)
                    folders, rest = await self._update()

    async def _changed(self, changes: Changes, settings: IndexConfig) -> bool:
        """Wait for a change of a file; False when the watch is over: ten minutes have passed, or the settings changed."""
        loop = asyncio.get_running_loop()
        until = loop.time() + RESCAN
        coming = asyncio.ensure_future(anext(changes, None))
        try:
            while loop.time() < until and self._app.config.index == settings and self._wanted():
                await asyncio.wait({coming}, timeout=LOOK)
                if coming.done():
                    return coming.result() is not None
            return False
        finally:
            if not coming.done():
                coming.cancel()  # which ends the watch, too
                await asyncio.gather(coming, return_exceptions=True)

    async def _update(self) -> tuple[list[str] | None, float]:
        """The folders to watch (None: too many), and how long to rest."""
        found: dict[str, Any] = await self._hosts.call(
            HostCall(
                TARGET,
                {
                    "workspace": str(self._app.layout.root),
                    "config": asdict(self._app.config.index),
                    "folders": True,
                    "gently": True,
                },
                limits=ProcessLimits(memory=MEMORY),  # also: a host of its own, whose priority may be lowered
            ),
            lambda _stream, _data: None,
        )
        if found["added"] or found["changed"] or found["removed"]:
            names = ("files", "added", "changed", "removed", "seconds")
            log.info("indexed", **{name: found[name] for name in names})
        if found["problems"] != self._said:
            self._said = found["problems"]
            for problem in self._said:
                log.warning("not_indexed", problem=problem)
        return found["folders"], max(LEAST_REST, REST * found["seconds"])


def _index(layout: Layout) -> Path:
    from rota.workspace.index.db import index_path

    return index_path(layout)


async def _changes(root: Path, folders: list[str] | None, stop: asyncio.Event) -> Changes:
    """A value after each swarm of changes in these folders; none for ever where they cannot be watched."""
    from watchfiles import awatch

    if folders:
        there = [path for folder in folders if (path := root / folder).is_dir()]
        try:
            async for found in awatch(
                *there, recursive=False, step=STEP, debounce=2 * STEP, stop_event=stop, watch_filter=_counts
            ):
                yield len(found)
        except FileNotFoundError:
            yield 0  # a folder went before it could be watched: time to see which there are
        except (OSError, RuntimeError) as error:  # most often: the system's limit of watches
            log.warning("files_not_watched", error=str(error), rescan_every=RESCAN)
    await stop.wait()


def _counts(_change: object, path: str) -> bool:
    """Whether a change can be one of a file that is indexed: rota writes in .rota all the time."""
    return "/.rota/" not in path and not path.endswith(("/.rota", "/.git"))
