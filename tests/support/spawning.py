"""Commands by a spawner, as the daemon runs them: ones that resist their end, and a daemon to be killed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import psutil
from tests.support.rota import command_line

from rota.engine.spawner import Spawner
from rota.model.job import ProcessLimits
from rota.ports.processes import Command

T = TypeVar("T")
PATH = os.environ.get("PATH", os.defpath)
SCAN = "import rota.engine.spawner_child as child; child.become_subreaper = lambda: False; child.main()"
LINUX = sys.platform == "linux"

# Four processes that ignore SIGTERM: itself, a child, one that left the session by a double fork and keeps
# the pipes, and one that hides its environment too. Their pids go to the file, the hidden one's last.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def note():
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()}\\n")
def stay():
    note()
    time.sleep(300)
    os._exit(0)
note()
if os.fork() == 0:
    stay()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        stay()
    os._exit(0)
if sys.argv[2] == "hide" and os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        note()
        os.execve("/bin/sh", ["sh", "-c", "trap '' TERM; sleep 300; :"], {"PATH": os.environ["PATH"]})
    os._exit(0)
time.sleep(300)
"""

PARENT = """
import asyncio, json, sys
from pathlib import Path
from rota.engine.process_tree import become_subreaper
from rota.engine.spawner import Spawner
from rota.model.job import ProcessLimits
from rota.ports.processes import Command

async def main(commands):
    become_subreaper()
    spawner = Spawner(leftover_grace=0.2)
    runs = [
        spawner.run(Command(argv, Path(cwd), env, None, ProcessLimits(**limits)), lambda s, d: None)
        for argv, cwd, env, limits in commands
    ]
    ends = await asyncio.gather(*runs, return_exceptions=True)
    print(json.dumps([[getattr(end, "code"), getattr(end, "limit", None)] for end in ends]))

asyncio.run(main(json.loads(sys.argv[1])))
"""


class Scene:
    """A folder, and commands in it that carry its markers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_id = uuid.uuid4().hex
        self._steps = count()

    def command(self, *argv: str, **more: Any) -> Command:
        env = {"PATH": PATH, "ROTA_RUN_ID": self.run_id, "ROTA_STEP": f"s{next(self._steps)}"}
        return Command(argv, self.path, env, **more)

    def shell(self, script: str, **more: Any) -> Command:
        return self.command("/bin/sh", "-c", script, **more)

    def python(self, program: str, *args: str, **more: Any) -> Command:
        return self.command(sys.executable, "-c", program, *args, **more)

    def stubborn(self, number: int, *, hide: bool) -> Command:
        return self.python(STUBBORN, str(self.path / f"{number}.pids"), "hide" if hide else "show")

    def pids(self) -> list[int]:
        return [int(line) for file in self.path.glob("*.pids") for line in file.read_text().splitlines()]

    def running(self) -> list[psutil.Process]:
        """Who carries the markers, or wrote its pid, and runs."""
        noted, found = set(self.pids()), []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                mine = process.pid in noted or process.environ().get("ROTA_RUN_ID") == self.run_id
                if mine and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> float:
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() < begun + seconds, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - begun


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    await asyncio.to_thread(wait_for, condition, seconds)


def nothing(_stream: str, _data: bytes) -> None:
    pass


def helper() -> psutil.Process:
    """The helper process of the one spawner of this process."""
    return helpers(psutil.Process())[0]


def helpers(parent: psutil.Process) -> list[psutil.Process]:
    """The helper processes of the spawners of a process."""
    return [child for child in parent.children() if "spawner_child" in command_line(child.pid)]


def with_spawner(work: Callable[[Spawner], Coroutine[Any, Any, T]], **options: Any) -> T:
    async def story() -> T:
        spawner = Spawner(**options)
        try:
            return await work(spawner)
        finally:
            await spawner.close()

    return asyncio.run(story())


class Daemon:
    """A process that runs commands by a spawner, as the daemon does. `group`: the control group to start it in."""

    def __init__(self, commands: list[Command], group: Path | None = None, **options: Any) -> None:
        limits = [asdict(command.limits or ProcessLimits()) for command in commands]
        plain = [
            [list(command.argv), str(command.cwd), dict(command.env), limit]
            for command, limit in zip(commands, limits, strict=True)
        ]
        argv = [sys.executable, "-c", PARENT, json.dumps(plain)]
        if group is not None:
            argv = ["/bin/sh", "-c", f'echo 0 > {group}/cgroup.procs && exec "$@"', "sh", *argv]
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)

    def spawner(self) -> psutil.Process:
        return helpers(psutil.Process(self.process.pid))[0]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def start_stubborn(scene: Scene, *, hide: bool) -> Daemon:
    """Three stubborn commands under a daemon of their own."""
    daemon = Daemon([scene.stubborn(number, hide=hide) for number in range(3)])
    wait_for(lambda: len(scene.pids()) == (12 if hide else 9))
    return daemon
