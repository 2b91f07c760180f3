"""The processes of this system, one by one: what each is, whether it runs, a signal to exactly that one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Proc(NamedTuple):
    """One look at a process. `started` tells it from a later one of the same pid; `dead`: a zombie."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    started: int
    dead: bool

    @property
    def identity(self) -> tuple[int, int]:
        """What no other process ever has."""
        return self.pid, self.started


def _pidfd_functions() -> tuple[Callable[[int], int], Callable[[int, int], None]] | None:
    """`pidfd_open` and `pidfd_send_signal`, where the system has them and lets us use them."""
    opener: Any = getattr(os, "pidfd_open", None)
    sender: Any = getattr(signal, "pidfd_send_signal", None)
    if opener is None or sender is None:
        return None
    try:
        os.close(opener(os.getpid()))
    except OSError:
        return None
    return opener, sender


PIDFD = _pidfd_functions()
_has_proc = sys.platform == "linux" and Path("/proc/self/stat").exists()


def look(pid: int) -> Proc | None:
    """The process that has this pid now."""
    return _look_in_proc(pid) if _has_proc else _look_portably(pid)


def snapshot() -> dict[int, Proc]:
    """Every process that can be seen, by pid."""
    if _has_proc:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 # a hot path
    else:
        import psutil

        pids = psutil.pids()
    return {pid: proc for pid in pids if (proc := look(pid)) is not None}


def alive(proc: Proc) -> bool:
    """Whether exactly that process still runs."""
    now = look(proc.pid)
    return now is not None and now.started == proc.started and not now.dead


def runs(pid: int) -> bool:
    """Whether some process that has this pid runs now."""
    now = look(pid)
    return now is not None and not now.dead


def send(proc: Proc, signum: int) -> bool:
    """Signal exactly that process, never one that has its pid by now; False where that is not allowed."""
    try:
        if PIDFD is None:
            if alive(proc):
                os.kill(proc.pid, signum)
            return True
        pidfd = PIDFD[0](proc.pid)
        try:
            if alive(proc):
                PIDFD[1](pidfd, signum)
        finally:
            os.close(pidfd)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 when it is gone."""
    try:
        if _has_proc:
            pages = _read(f"/proc/{pid}/statm").split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")
        import psutil

        return int(psutil.Process(pid).memory_info().rss)
    except Exception:  # noqa: BLE001 # psutil's errors and a vanished file alike: it is gone
        return 0


def proportion(pid: int) -> int:
    """Bytes of memory that a process holds, its share of what it shares; all of it where the share is unknown."""
    try:
        lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))
    except (OSError, StopIteration):
        return resident(pid)


def children(pid: int, *, adopted: bool = False) -> list[int]:
    """Pids of a process's children, dead ones too. `adopted`: orphans suffice; a main thread has them all."""
    if _has_proc:
        try:
            threads = [str(pid)] if adopted else os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 # a hot path
            return [int(c) for t in threads for c in _read(f"/proc/{pid}/task/{t}/children").split()]
        except OSError:
            if look(pid) is None:
                return []
    return [proc.pid for proc in snapshot().values() if proc.ppid == pid]


def carries(pid: int, markers: list[list[bytes]]) -> bool:
    """Whether a process of this user has every `NAME=value` of one of `markers` in its environment."""
    try:
        if _has_proc:
            block = b"\0" + _read(f"/proc/{pid}/environ") + b"\0"
            has_all = any(all(b"\0" + m + b"\0" in block for m in marked) for marked in markers)
            return has_all and Path(f"/proc/{pid}").stat().st_uid == os.geteuid()
        return _carries_portably(pid, markers)
    except OSError:
        return False


def _read(path: str) -> bytes:
    """A file of /proc, in one piece; a fifth of the time that pathlib takes."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := os.read(fd, 65536):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)


def _look_in_proc(pid: int) -> Proc | None:
    try:
        line = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = line[line.rindex(b")") + 2 :].split()
    # A main thread that has ended is shown as a zombie too, while other threads go on.
    dead = fields[0] in b"ZX" and int(fields[17]) <= 1
    return Proc(pid, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]), dead)


def _look_portably(pid: int) -> Proc | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            started = int(process.create_time() * 1_000_000)
            dead = process.status() == psutil.STATUS_ZOMBIE
            return Proc(pid, process.ppid(), os.getpgid(pid), os.getsid(pid), started, dead)
    except (psutil.Error, OSError):
        return None


def _carries_portably(pid: int, markers: list[list[bytes]]) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        block = {
            f"{name}={value}".encode("utf-8", "surrogateescape") for name, value in process.environ().items()
        }
        has_all = any(block.issuperset(marked) for marked in markers)
        return has_all and process.uids().effective == os.geteuid()
    except psutil.Error:
        return False
