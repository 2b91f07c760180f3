"""A step that starts two hundred processes, which resist in every way: none is left, however the step ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.rota import Rota, alive, command_line, eventually
from tests.support.spawning import PATH, Daemon, Scene, nothing, until, wait_for, with_spawner

from rota.engine.process_tree import become_subreaper
from rota.engine.spawner import Spawner

COUNT = 200

# One after the other, a plain child, one in a session of its own, one forked twice, one that ignores SIGTERM,
# and one that does all three. Each is started by the first process alone: the number cannot grow.
STORM = f"""
import os, signal, sys, time
def stay():
    with open(sys.argv[1], "a") as file:
        file.write(f"{{os.getpid()}}\\n")
    time.sleep(300)
    os._exit(0)
for number in range({COUNT}):
    manner = number % 5
    if os.fork() == 0:
        if manner in (1, 4):
            os.setsid()
        if manner in (3, 4):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if manner in (2, 4) and os.fork() != 0:
            os._exit(0)
        stay()
time.sleep(300)
"""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    for process in scene.running():
        process.kill()


def test_when_it_is_cancelled(scene: Scene) -> None:
    become_subreaper()

    async def story(spawner: Spawner) -> None:
        command = scene.python(STORM, str(scene.path / "storm.pids"))
        task = asyncio.create_task(spawner.run(command, nothing))
        await until(lambda: len(scene.pids()) == COUNT, 90)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert scene.running() == []

    with_spawner(story, leftover_grace=0.2)


def test_when_the_daemon_is_killed(scene: Scene) -> None:
    daemon = Daemon([scene.python(STORM, str(scene.path / "storm.pids"))])
    wait_for(lambda: len(scene.pids()) == COUNT, 90)
    daemon.kill()
    wait_for(lambda: scene.running() == [], 60)


def test_when_the_step_runs_into_its_timeout(rota: Rota) -> None:
    rota.write("storm.py", STORM)
    rota.job("storm", "steps:\n  - run: exec python3 storm.py storm.pids\n    timeout: 8s\n")
    rota.job("other", "schedule: every 1s\nsteps:\n  - run: echo x >> other.txt\n")
    rota.env["PATH"] = PATH
    rota.up()
    rota("run", "storm")
    eventually(lambda: rota.lines("storm.pids"), "it has begun")
    before = len(rota.lines("other.txt"))
    eventually(lambda: rota.runs("storm")[0]["state"] == "failed", "it is ended by its timeout")
    assert rota.runs("storm")[0]["reason"]["code"] == "timeout"
    pids = [int(pid) for pid in rota.lines("storm.pids")]
    assert len(pids) > COUNT // 4  # on a slow machine not all of them have started by then
    assert [pid for pid in pids if psutil.pid_exists(pid) and is_storm(pid)] == []
    assert len(rota.lines("other.txt")) > before, "others ran meanwhile"
    assert "running" in rota("status").out


def is_storm(pid: int) -> bool:
    """Whether that is one of them, and not another process that has got its number since."""
    return alive(pid) and "storm.py" in command_line(pid)
