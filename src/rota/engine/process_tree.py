"""Process trees: who belongs to one, what is left of it, and how it ends with no survivor. No event loop here.

A process belongs to a tree when it is in the session or group of the tree's root, descends from a
member, was a member at an earlier look, or carries the tree's markers in its environment.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

from rota.engine.process_table import Proc, alive, carries, children, look, runs, send, snapshot


class _HasPid(Protocol):
    @property
    def pid(self) -> int: ...


_P = TypeVar("_P", bound=_HasPid)
_FREEZE_ROUNDS = 20
_CROWD = 500  # a tree that has grown beyond this is a fork bomb and gets no grace
_PR_SET_CHILD_SUBREAPER = 36


class Family:
    """The children that this process started itself. As a subreaper it is given others: orphans.

    Children in our own session are nobody's orphans: other code of this process started them. Code
    that starts a child in a session of its own does it through `start`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # between a fork and its registration nobody may look
        self._own: set[int] = set()
        self._working = 0
        self.subreaper = False

    def start(self, begin: Callable[[], _P]) -> _P:
        """Start a child that is ours to reap."""
        with self._lock:
            child = begin()
            self._own.add(child.pid)
            return child

    def forget(self, pid: int) -> None:
        """It was reaped."""
        with self._lock:
            self._own.discard(pid)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While a command or a call is in progress."""
        self.begin()
        try:
            yield
        finally:
            self.finish()

    def begin(self) -> None:
        """A command or a call begins."""
        self._working += 1

    def finish(self) -> None:
        """It is over, with all that it left."""
        self._working -= 1

    def orphans(self) -> list[Proc]:
        """Live children that we did not start; dead ones are reaped on the way."""
        if not self.subreaper:
            return []
        ours = os.getsid(0)
        found = []
        with self._lock:
            for pid in children(os.getpid(), adopted=True):
                if pid in self._own or (proc := look(pid)) is None or proc.sid == ours:
                    continue
                if proc.dead:
                    with suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
                else:
                    found.append(proc)
        return found

    def strays(self, orphans: list[Proc]) -> list[Proc]:
        """Those orphans that belong to nobody, so that they must be the last tree's, whatever they hide.

        Process 1 of a container is given orphans of others too: it only trusts markers.
        """
        return orphans if self._working <= 1 and os.getpid() != 1 else []


FAMILY = Family()


def become_subreaper() -> bool:
    """Have the orphans of our children become ours (Linux), so that none can hide; False elsewhere."""
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            FAMILY.subreaper = ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    return FAMILY.subreaper


class Tree:
    """What belongs to `root` (a process in its own session) or carries every marker of one of `markers`.

    Markers speak for processes of this user only; what descends from the root is ours whoever it runs as.
    `kill_all`: a way to end them all at one blow, where the system has one.
    """

    def __init__(
        self, root: int | None, *markers: Mapping[str, str], kill_all: Callable[[], None] | None = None
    ) -> None:
        self._root = None if root is None else look(root)
        self._markers = [
            [f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in marked.items()]
            for marked in markers
            if marked
        ]
        self._kill_all = kill_all or self._kill_group
        self._untouchable: set[tuple[int, int]] = set()
        self._told: set[tuple[int, int]] = set()
        self.seen: set[tuple[int, int]] = set()

    def surely_gone(self, *, root_ended: bool = False) -> bool:
        """Whether a cheap look can tell that nothing but the root is left; False: only a scan knows.

        As a subreaper we are given whatever outlives its parents, so our own children tell it all.
        """
        if self._root is None or not FAMILY.subreaper:
            return False
        if not root_ended and any(map(runs, children(self._root.pid))):
            return False
        orphans = FAMILY.orphans()
        return not (FAMILY.strays(orphans) or any(self._related(p) or self._carries(p) for p in orphans))

    def scan(self) -> list[Proc]:
        """The live members, the root too. Never process 1, ourselves or our ancestors."""
        table = snapshot()
        offspring: dict[int, list[Proc]] = {}
        for proc in table.values():
            offspring.setdefault(proc.ppid, []).append(proc)
        spared = _ancestry(table)
        found: dict[int, Proc] = {}

        def add(queue: list[Proc]) -> None:
            while queue:
                proc = queue.pop()
                if proc.pid not in found and proc.pid not in spared:
                    found[proc.pid] = proc
                    queue.extend(offspring.get(proc.pid, ()))

        self._check_root(table)
        add([proc for proc in table.values() if self._related(proc) or proc.identity in self.seen])
        if self._root is not None:
            add(FAMILY.strays(FAMILY.orphans()))
        add([p for p in table.values() if p.pid not in found and p.pid not in spared and self._carries(p)])
        members = [p for p in found.values() if not p.dead and p.identity not in self._untouchable]
        self.seen.update(proc.identity for proc in members)
        return members

    def terminate(self) -> list[Proc]:
        """Ask every member that was not asked yet to end (SIGTERM); the members."""
        members = self.scan()
        for proc in members:
            if proc.identity not in self._told:
                self._told.add(proc.identity)
                self._signal(proc, signal.SIGTERM)
                self._signal(proc, signal.SIGCONT)  # a stopped process hears nothing else
        return members

    def ending(self, grace: float) -> Iterator[float]:
        """SIGTERM, `grace` seconds, then SIGKILL until nobody is left; yields how long to wait before it goes on."""
        deadline = time.monotonic() + grace
        while members := self.terminate():
            if time.monotonic() >= deadline or len(members) > _CROWD:
                yield from self.killing(10.0)
                break
            yield from _until_gone(members, deadline)
        FAMILY.orphans()

    def kill(self, patience: float) -> None:
        """SIGKILL every member until a scan finds none, for at most `patience` seconds."""
        for pause in self.killing(patience):
            time.sleep(pause)

    def killing(self, patience: float) -> Iterator[float]:
        """The same with SIGKILL alone: `kill` in steps; yields how long to wait before it goes on."""
        deadline = time.monotonic() + patience
        self._kill_all()
        while (members := self._freeze()) and time.monotonic() < deadline:
            for proc in members:
                self._signal(proc, signal.SIGKILL)
            yield from _until_gone(members, min(deadline, time.monotonic() + 1.0))
        FAMILY.orphans()

    def _kill_group(self) -> None:
        """The root's process group, at once: no fork can slip through."""
        if self._root is not None and self._root.pid != os.getpid() and alive(self._root):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._root.pid, signal.SIGKILL)

    def _freeze(self) -> list[Proc]:
        """Stop members until no new ones appear: ended one by one, they could fork faster than we look."""
        frozen: set[tuple[int, int]] = set()
        members: list[Proc] = []
        for _ in range(_FREEZE_ROUNDS):
            members = self.scan()
            new = [proc for proc in members if proc.identity not in frozen]
            if not new:
                break
            for proc in new:
                frozen.add(proc.identity)
                self._signal(proc, signal.SIGSTOP)
        return members

    def _signal(self, proc: Proc, signum: int) -> None:
        if not send(proc, signum):
            self._untouchable.add(proc.identity)

    def _check_root(self, table: Mapping[int, Proc]) -> None:
        """Once another process has the root's pid, sessions and groups of that number are not ours."""
        if self._root is not None:
            now = table.get(self._root.pid)
            if now is not None and now.started != self._root.started:
                self._root = None

    def _related(self, proc: Proc) -> bool:
        return self._root is not None and self._root.pid in (proc.pid, proc.ppid, proc.pgid, proc.sid)

    def _carries(self, proc: Proc) -> bool:
        return bool(self._markers) and not proc.dead and carries(proc.pid, self._markers)


def _until_gone(members: list[Proc], deadline: float) -> Iterator[float]:
    """Pauses, until none of them is alive or the deadline has come."""
    pause = 0.002
    while time.monotonic() < deadline and any(alive(proc) for proc in members):
        yield pause
        pause = min(0.1, pause * 1.5)


def _ancestry(table: Mapping[int, Proc]) -> set[int]:
    """Processes that are never touched: ourselves, what we descend from, process 1, the kernel."""
    spared = {0, 1}
    pid = os.getpid()
    while pid not in spared:
        spared.add(pid)
        if pid in table:
            pid = table[pid].ppid
    return spared
