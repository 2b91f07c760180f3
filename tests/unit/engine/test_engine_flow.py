"""Output without end is taken at a pace that leaves room for everything else."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Sequence

import pytest
from tests.support.spawning import until

from rota.engine import pipes
from rota.engine.pipes import Flow, Pipes


def flood(size: int, far: Sequence[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=far[0], stderr=far[1])


def test_an_ordinary_pace_is_never_held_up() -> None:
    flow = Flow(rate=1000.0, burst=1.0)
    assert [flow.pause(100, now=now / 5) for now in range(50, 100)] == [0.0] * 50


def test_a_burst_may_come_at_once_and_more_than_that_has_to_wait() -> None:
    flow = Flow(rate=1000.0, burst=1.0)
    assert flow.pause(1000, now=50.0) == 0.0
    assert flow.pause(500, now=50.0) == pytest.approx(0.5)
    assert flow.pause(500, now=50.5) == pytest.approx(0.5)
    assert flow.pause(10, now=60.0) == 0.0


def test_a_flood_does_not_come_faster_than_it_may_and_nothing_of_it_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipes, "FLOW", Flow(rate=20e6, burst=0.05))
    came: list[int] = []
    turns = 0

    async def tell() -> float:
        nonlocal turns
        output = Pipes(lambda _stream, data: came.append(len(data)), lambda: None)
        begun = time.monotonic()
        child = flood(10_000_000, output.far)
        output.hand_over()
        while child.poll() is None or sum(came) < 10_000_000:
            await asyncio.sleep(0)
            turns += 1
        output.close()
        return time.monotonic() - begun

    took = asyncio.run(tell())
    assert sum(came) == 10_000_000
    assert took > 0.4, "half a second's worth, but for the burst"
    assert turns > len(came), "there is room between"


def test_what_is_left_in_a_pipe_that_waits_is_taken_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "FLOW", Flow(rate=1.0, burst=0.0))
    came: list[bytes] = []

    async def tell() -> None:
        output = Pipes(lambda _stream, data: came.append(data), lambda: None)
        os.write(output.far[0], b"first")
        await until(lambda: came)
        os.write(output.far[0], b"last")
        await asyncio.sleep(0.02)
        assert came == [b"first"], "it waits"
        output.close()

    asyncio.run(tell())
    assert came == [b"first", b"last"]
