"""Hosts when the daemon is killed: they end by themselves, and all that their calls had started with them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.spawning import LINUX, PATH, STUBBORN, Scene, wait_for

JOBS = f"""
import subprocess, sys, time
STUBBORN = {STUBBORN!r}
def stubborn(number):
    how = "hide" if sys.platform == "linux" else "show"
    subprocess.Popen([sys.executable, "-c", STUBBORN, f"{{number}}.pids", how], start_new_session=True)
    time.sleep(300)
"""

DAEMON = """
import asyncio, sys
from pathlib import Path
from rota.engine.hosts import HostPool
from rota.engine.process_tree import become_subreaper
from rota.ports.processes import HostCall

async def main(path):
    become_subreaper()
    pool = HostPool({"PATH": sys.argv[2]})
    calls = [HostCall("jobs:stubborn", {"number": n}, cwd=path, paths=(path,), fresh=(path,)) for n in range(2)]
    await asyncio.gather(*(pool.call(call, lambda s, d: None) for call in calls))

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    (tmp_path / "jobs.py").write_text(JOBS)
    yield scene
    for process in scene.running():
        process.kill()


def test_kill_9_of_the_daemon_ends_what_calls_had_started_and_hidden(scene: Scene) -> None:
    with subprocess.Popen([sys.executable, "-c", DAEMON, str(scene.path), PATH]) as daemon:
        wait_for(lambda: len(scene.pids()) == (8 if LINUX else 6))
        daemon.kill()
    wait_for(lambda: not scene.running(), 10.0)
