"""Control groups of commands (cgroup v2), where the system lets us have some: exact ends, hard limits.

Layout below the group that the daemon was started in, which has to be ours to write: `rota` holds the
daemon and its helpers, `rota-PID` what the spawner PID started, one group for each command. That is what
systemd gives a service with `Delegate=yes`. Nothing here raises where there is no such thing.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from rota.engine.limits import Caps
from rota.engine.process_table import runs, snapshot

_MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
_HELPERS = "rota"
_PREFIX = "rota-"
_CONTROLLERS = ("memory", "pids")


class Group:
    """A group and all below it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def enter(self) -> None:
        """Put this process into it, with what it will start."""
        self._write("cgroup.procs", "0")

    def populated(self) -> bool:
        """Whether anything runs in it."""
        return self._count("cgroup.events", "populated") > 0

    def kill(self) -> None:
        """End everything in it at once; whatever forks meanwhile, too."""
        with suppress(OSError):
            self._write("cgroup.kill", "1")

    def remove(self, patience: float = 0.0) -> bool:
        """Take it away with those below it; False while something in it still ends."""
        deadline = time.monotonic() + patience
        while True:
            try:
                for path in self.path.iterdir():
                    if path.is_dir():
                        path.rmdir()
                self.path.rmdir()
            except FileNotFoundError:
                return True
            except OSError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.01)
            else:
                return True

    def cap(self, caps: Caps) -> None:
        """Have the system enforce what its controllers can."""
        if caps.memory is not None:
            self._write("memory.max", str(caps.memory))
            with suppress(OSError):  # not every system has them
                self._write("memory.swap.max", "0")
                self._write("memory.oom.group", "1")
        if caps.processes is not None:
            self._write("pids.max", str(caps.processes))

    def overrun(self) -> str | None:
        """The limit that was run into."""
        if self._count("memory.events", "oom_kill"):
            return "memory"
        return "processes" if self._count("pids.events", "max") else None

    def _write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    def _count(self, name: str, key: str) -> int:
        """A number of one of its files; 0 where there is none."""
        try:
            pairs = (line.split() for line in (self.path / name).read_text().splitlines())
            return next((int(pair[1]) for pair in pairs if pair[0] == key), 0)
        except (OSError, ValueError, IndexError):
            return 0


class Groups(Group):
    """The groups of the spawner that this process is. `enforces`: the limits that they can have."""

    def __init__(self, base: Path) -> None:
        super().__init__(base / f"{_PREFIX}{os.getpid()}")
        present = _enable(base)
        self.path.mkdir()
        if present:
            self._write("cgroup.subtree_control", " ".join(f"+{name}" for name in present))
        self.enforces = {"memory": "memory" in present, "processes": "pids" in present}

    def make(self, name: str, caps: Caps) -> Group | None:
        """A group for a command; None where there is no more to have."""
        group = Group(self.path / name)
        try:
            group.path.mkdir()
            group.cap(
                Caps(
                    memory=caps.memory if self.enforces["memory"] else None,
                    processes=caps.processes if self.enforces["processes"] else None,
                )
            )
        except OSError:
            group.remove()
            return None
        return group


def groups_of_ours(daemon: int) -> Groups | None:
    """Groups for this process, the spawner of `daemon`; None where it may not have any.

    What dead spawners left in theirs is ended on the way.
    """
    base = _delegated()
    if base is None:
        return None
    try:
        _gather(base, daemon)
        for path in base.glob(f"{_PREFIX}*"):
            pid = path.name.removeprefix(_PREFIX)
            if pid.isdigit() and (int(pid) == os.getpid() or not runs(int(pid))):
                Group(path).kill()
                Group(path).remove(1.0)
        return Groups(base)
    except OSError:
        return None


def _delegated() -> Path | None:
    """The group that we are in, where we may make others below it."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    inner = next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), None)
    if inner is None:
        return None
    for mount in _MOUNTS:
        path = Path(mount, inner)
        if path.name == _HELPERS:
            path = path.parent
        # The root of all groups has no type: it is the system's, whoever we are.
        is_group = (path / "cgroup.type").exists() and (path / "cgroup.kill").exists()
        if is_group and os.access(path, os.W_OK) and os.access(path / "cgroup.procs", os.W_OK):
            return path
    return None


def _gather(base: Path, daemon: int) -> None:
    """Move the daemon and its helpers out of the way: only a group without processes can have controllers."""
    inside = {int(pid) for pid in (base / "cgroup.procs").read_text().split()}
    table = snapshot()
    family = {daemon}
    while more := {proc.pid for proc in table.values() if proc.ppid in family} - family:
        family |= more
    if inside <= family:  # else others live here too: a terminal's shell
        helpers = Group(base / _HELPERS)
        helpers.path.mkdir(exist_ok=True)
        for pid in inside:
            with suppress(ProcessLookupError):
                helpers._write("cgroup.procs", str(pid))


def _enable(base: Path) -> list[str]:
    """The controllers that groups below have."""
    control = base / "cgroup.subtree_control"
    for name in _CONTROLLERS:
        with suppress(OSError):  # it is not there, or somebody lives in the base
            control.write_text(f"+{name}")
    enabled = control.read_text().split()
    return [name for name in _CONTROLLERS if name in enabled]
