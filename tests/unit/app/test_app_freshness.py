"""When the daemon indexes: driven by changes that a test makes up, without waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rota.app import freshness
from rota.app.wiring import App
from rota.model.config import WorkspaceConfig
from rota.model.errors import StepError
from rota.ports.processes import HostCall, OnOutput
from rota.workspace.index.db import index_path
from rota.workspace.layout import Layout


@dataclass
class World:
    """A workspace whose files change when a test says so, and what was asked of hosts."""

    layout: Layout
    config: WorkspaceConfig = field(default_factory=WorkspaceConfig)
    folders: list[str] | None = field(default_factory=lambda: ["", "notes"])
    calls: list[HostCall] = field(default_factory=list)
    watched: list[list[str] | None] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    queue: asyncio.Queue[int] = field(default_factory=asyncio.Queue)

    async def call(self, call: HostCall, on_output: OnOutput) -> Any:
        self.calls.append(call)
        if self.faults:
            raise self.faults.pop()
        numbers = dict.fromkeys(("files", "added", "changed", "removed"), 1)
        return {**numbers, "problems": [], "folders": self.folders, "seconds": 0.0}

    async def close(self) -> None:
        return None

    async def changes(
        self, _root: Path, folders: list[str] | None, _stop: asyncio.Event
    ) -> AsyncGenerator[int, None]:
        self.watched.append(folders)
        while True:
            yield await self.queue.get()

    def kept(self, play: Callable[[World], Awaitable[None]]) -> None:
        """Run it while `play` makes things happen."""

        async def run() -> None:
            keeper = freshness.Freshness(
                cast("App", SimpleNamespace(layout=self.layout, config=self.config)), self
            )
            stop = asyncio.Event()
            work = asyncio.create_task(keeper.keep(stop))
            async with asyncio.timeout(30):
                await play(self)
            stop.set()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

        asyncio.run(run())

    async def until(self, true: Callable[[], bool]) -> None:
        while not true():  # noqa: ASYNC110 # what is waited for has no event
            await asyncio.sleep(0)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(Layout(tmp_path))
    index_path(made.layout).parent.mkdir(parents=True)
    index_path(made.layout).touch()
    monkeypatch.setattr(freshness, "_changes", made.changes)
    for name in ("SETTLE", "LEAST_REST", "RETRY"):
        monkeypatch.setattr(freshness, name, 0.0)
    monkeypatch.setattr(freshness, "LOOK", 0.001)
    return made


def test_a_change_is_indexed_gently_in_a_process_of_its_own(world: World) -> None:
    async def play(world: World) -> None:
        await world.until(lambda: len(world.calls) == 2)  # before the watch, and when it is there
        world.queue.put_nowait(3)
        await world.until(lambda: len(world.calls) == 3)

    world.kept(play)
    assert world.watched == [["", "notes"]]
    assert all(call.kwargs["gently"] and call.limits is not None for call in world.calls)


def test_nothing_is_done_before_somebody_has_searched(world: World) -> None:
    index_path(world.layout).unlink()

    async def play(world: World) -> None:
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert world.calls == []
        index_path(world.layout).touch()
        await world.until(lambda: len(world.calls) == 2)

    world.kept(play)


def test_new_folders_are_watched_from_then_on(world: World) -> None:
    async def play(world: World) -> None:
        await world.until(lambda: len(world.calls) == 2)
        world.folders = ["", "notes", "notes/new"]
        world.queue.put_nowait(1)
        await world.until(lambda: len(world.watched) == 2)
        await world.until(lambda: len(world.calls) == 4)

    world.kept(play)
    assert world.watched == [["", "notes"], ["", "notes", "notes/new"]]


def test_after_a_while_it_looks_without_a_change_and_watches_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "RESCAN", 0.01)

    async def play(world: World) -> None:
        await world.until(lambda: len(world.watched) == 3)
        calls = len(world.calls)
        world.queue.put_nowait(1)
        await world.until(lambda: len(world.calls) > calls)

    world.kept(play)


def test_a_failure_is_tried_again(world: World) -> None:
    world.faults = [StepError("out of memory"), RuntimeError("a bug")]

    async def play(world: World) -> None:
        await world.until(lambda: len(world.watched) == 1)
        await world.until(lambda: len(world.calls) == 4)

    world.kept(play)


def test_it_can_be_turned_off(world: World) -> None:
    world.config = replace(world.config, index=replace(world.config.index, watch=False))

    async def play(world: World) -> None:
        for _ in range(50):
            await asyncio.sleep(0.001)

    world.kept(play)
    assert world.calls == []
