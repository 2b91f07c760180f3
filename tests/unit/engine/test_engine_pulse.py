"""Whether the loops go round is known, however they come to stand still."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.world import World

from rota.engine.pulse import LONGEST_PASS
from rota.model.errors import StoreError


async def serving(world: World, story: asyncio.Event) -> None:
    stop = asyncio.Event()
    served = asyncio.create_task(world.engine.serve(stop))
    await story.wait()
    stop.set()
    await served
    assert world.engine.pulse.overdue() == [], "nothing is expected of it any more"


def test_loops_that_go_round_are_never_overdue(world: World) -> None:
    world.job("schedule: every 20s\nsteps: [{id: a, act: x}]\n")

    async def tell() -> None:
        over = asyncio.Event()
        served = asyncio.create_task(serving(world, over))
        seen: set[str] = set()

        def fired_often() -> bool:
            seen.update(world.engine.pulse.overdue())
            return len(world.began) > 20  # several minutes, on this clock

        await world.until(fired_often)
        assert seen == set()
        over.set()
        await served

    asyncio.run(tell())


@pytest.mark.parametrize("loop", ["scheduler", "dispatcher", "outbox"])
def test_a_loop_that_hangs_is_overdue(world: World, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(**_options: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(getattr(world.engine, loop), "run_once", hang)

    async def tell() -> None:
        over = asyncio.Event()
        served = asyncio.create_task(serving(world, over))
        await world.until(world.engine.pulse.overdue)
        assert world.engine.pulse.overdue() == [loop]
        over.set()
        await served

    began = world.clock.monotonic()
    asyncio.run(tell())
    assert world.clock.monotonic() - began >= LONGEST_PASS


def test_a_state_that_cannot_be_written_makes_no_loop_overdue(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []

    async def locked(**_options: object) -> None:
        tries.append(world.clock.monotonic())
        raise StoreError("locked")

    monkeypatch.setattr(world.engine.scheduler, "run_once", locked)

    async def tell() -> None:
        over = asyncio.Event()
        served = asyncio.create_task(serving(world, over))
        await world.until(lambda: len(tries) > 10 or world.engine.pulse.overdue())
        assert world.engine.pulse.overdue() == []
        over.set()
        await served

    asyncio.run(tell())
    assert tries[-1] - tries[0] > LONGEST_PASS
