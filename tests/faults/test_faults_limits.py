"""Limits: a command that exceeds them is ended and says so; control groups, where there are some, end exactly."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.spawning import SCAN, Daemon, Scene, nothing, wait_for, with_spawner

from rota.engine.spawner import PROGRAM, Spawner
from rota.model.job import ProcessLimits
from rota.ports.processes import Command, Exit


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    for process in scene.running():
        process.kill()


def grow(scene: Scene, megabytes: int, **more: Any) -> Command:
    """A child that holds so much, while its parent waits for it."""
    child = f"import time; held = bytearray({megabytes} * 1_000_000); time.sleep({more.pop('seconds', 60)})"
    program = (
        f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {child!r}]).returncode)"
    )
    return scene.python(program, **more)


LIMITS = ProcessLimits(memory=150_000_000, processes=5, open_files=64)


@pytest.mark.parametrize("program", [PROGRAM, (sys.executable, "-P", "-c", SCAN)], ids=["subreaper", "scan"])
def test_a_command_beyond_its_limits_is_ended_and_says_by_which(
    scene: Scene, program: tuple[str, ...]
) -> None:
    async def story(spawner: Spawner) -> tuple[list[Exit], Exit, Exit]:
        other = asyncio.create_task(spawner.run(scene.shell("sleep 4; exit 7"), nothing))
        run = [
            spawner.run(grow(scene, 300, limits=LIMITS), nothing),
            spawner.run(
                scene.shell("for n in 1 2 3 4 5 6 7 8; do sleep 60 & done; wait", limits=LIMITS), nothing
            ),
        ]
        over = list(await asyncio.gather(*run))
        below = await spawner.run(
            grow(scene, 50, seconds=0.6, limits=ProcessLimits(memory=500_000_000, processes=5)), nothing
        )
        return over, below, await other

    (memory, processes), below, other = with_spawner(story, program=program)
    assert (memory.limit, memory.code) == ("memory", None)
    assert (processes.limit, processes.code) == ("processes", None)
    assert below == Exit(0)
    assert other == Exit(7)
    assert scene.running() == []


def test_open_files_are_limited_for_the_command_alone(scene: Scene) -> None:
    program = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    printed: list[bytes] = []

    def on_output(_stream: str, data: bytes) -> None:
        printed.append(data)

    async def story(spawner: Spawner) -> None:
        await spawner.run(scene.python(program, limits=LIMITS), on_output)
        await spawner.run(scene.python(program), on_output)

    with_spawner(story)
    first, second = b"".join(printed).decode().splitlines()
    assert first == "(64, 64)"
    assert second != first


@pytest.fixture
def delegated() -> Iterator[Path]:
    """A control group that is ours, where this machine and user can make one."""
    mounts = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified")]
    mount = next((path for path in mounts if (path / "cgroup.procs").exists()), None)
    if mount is None or not os.access(mount, os.W_OK):
        pytest.skip("no control group (v2) can be made here")
    group = mount / f"rota-test-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    if not (group / "cgroup.kill").exists():
        group.rmdir()
        pytest.skip("this kernel has no cgroup.kill")
    yield group
    (group / "cgroup.kill").write_text("1")

    def is_removed() -> bool:
        with suppress(OSError):
            for path in sorted(group.rglob("*"), key=lambda path: -len(path.parts)):
                if path.is_dir():
                    path.rmdir()
            group.rmdir()
        return not group.exists()

    wait_for(is_removed)


def groups_of_commands(base: Path) -> list[Path]:
    return [path for path in base.glob("rota-*/*") if path.is_dir()]


@pytest.mark.parametrize("victim", ["daemon", "spawner", "both"])
def test_control_groups_end_all_that_was_started(scene: Scene, delegated: Path, victim: str) -> None:
    daemon = Daemon([scene.stubborn(number, hide=True) for number in range(3)], delegated)
    wait_for(lambda: len(scene.pids()) == 12)
    groups = groups_of_commands(delegated)
    assert len(groups) == 3
    inside = [int(pid) for group in groups for pid in (group / "cgroup.procs").read_text().split()]
    assert set(scene.pids()) <= set(inside)
    if victim == "both":
        daemon.process.send_signal(signal.SIGSTOP)
    if victim != "daemon":
        daemon.spawner().kill()
    if victim != "spawner":
        daemon.kill()
    if victim == "both":  # the next daemon in the same group finds the groups of the dead
        next_daemon = Daemon([scene.shell("true")], delegated)
        next_daemon.process.wait(20)
    wait_for(lambda: not scene.running())
    wait_for(lambda: not groups_of_commands(delegated))
    daemon.kill()


def test_limits_hold_in_control_groups_too(scene: Scene, delegated: Path) -> None:
    commands = [
        grow(scene, 300, limits=LIMITS),
        scene.shell("for n in 1 2 3 4 5 6 7 8; do sleep 60 & done; wait", limits=LIMITS),
        scene.shell("exit 3", limits=LIMITS),
    ]
    daemon = Daemon(commands, delegated, stdout=subprocess.PIPE)
    printed, _ = daemon.process.communicate(timeout=60)
    ends = json.loads(printed)
    assert [limit for _code, limit in ends] == ["memory", "processes", None]
    assert [code == 0 for code, _limit in ends] == [False, False, False]
    assert scene.running() == []
