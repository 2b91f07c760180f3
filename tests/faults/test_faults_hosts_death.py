"""Hosts when the daemon is killed: they end by themselves, and all that their calls had started with them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
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
def answering(number):
    import os
    with open(f"{{number}}.pids", "w") as file:
        file.write(f"{{os.getpid()}}\\n")
    while not os.path.exists("go"):
        time.sleep(0.01)
    open(f"{{number}}.gone", "w").close()
def importing(number):
    import _imp, os, signal
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _imp.acquire_lock()
    with open(f"{{number}}.pids", "w") as file:
        file.write(f"{{os.getpid()}}\\n")
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
    target = f"jobs:{sys.argv[3]}"
    calls = [HostCall(target, {"number": n}, cwd=path, paths=(path,), fresh=(path,)) for n in range(2)]
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
    with subprocess.Popen([sys.executable, "-c", DAEMON, str(scene.path), PATH, "stubborn"]) as daemon:
        wait_for(lambda: len(scene.pids()) == (8 if LINUX else 6))
        daemon.kill()
    wait_for(lambda: not scene.running(), 10.0)


def test_a_host_that_was_in_the_midst_of_an_import_ends_too(scene: Scene) -> None:
    with subprocess.Popen([sys.executable, "-c", DAEMON, str(scene.path), PATH, "importing"]) as daemon:
        wait_for(lambda: len(scene.pids()) == 2)
        daemon.kill()
    wait_for(lambda: not scene.running(), 10.0)


def test_a_host_whose_last_answer_nobody_read_ends_too(scene: Scene) -> None:
    with subprocess.Popen([sys.executable, "-c", DAEMON, str(scene.path), PATH, "answering"]) as daemon:
        wait_for(lambda: len(scene.pids()) == 2)
        daemon.send_signal(signal.SIGSTOP)
        (scene.path / "go").touch()
        wait_for(lambda: len(list(scene.path.glob("*.gone"))) == 2)
        time.sleep(0.3)  # the answer follows at once
        daemon.kill()
    wait_for(lambda: not scene.running(), 10.0)
