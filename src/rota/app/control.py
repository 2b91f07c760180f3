"""Between the command line and the daemon: a lock that a crash releases, and a nudge that may get lost."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rota.model.errors import ConflictError
from rota.workspace.layout import Layout

_ASKING = 10.0  # seconds
_LONGEST_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 on macOS


@dataclass(frozen=True)
class DaemonInfo:
    """The daemon that holds the lock. `started_at`: microseconds."""

    pid: int
    started_at: int
    version: str


def lock_path(layout: Layout) -> Path:
    """The file whose lock is the daemon's claim on the workspace."""
    return layout.rota / "daemon.lock"


def socket_path(layout: Layout) -> Path:
    """Where nudges go: in .rota, or in the temporary folder where that path would be too long for a socket."""
    path = layout.rota / "daemon.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(layout.root)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rota-{os.getuid()}-{digest}.sock"


@contextlib.contextmanager
def hold_lock(layout: Layout, info: DaemonInfo) -> Iterator[None]:
    """Be the workspace's daemon. Raises ConflictError naming the one that is."""
    path = lock_path(layout)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, layout)
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(info.__dict__).encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _take(handle: int, layout: Layout) -> None:
    """Take the lock. One who only asks who has it holds it for a moment, too: that is waited for."""
    deadline = time.monotonic() + _ASKING
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = running_daemon(layout)
            if other is None and time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            who = f" (pid {other.pid})" if other is not None else ""
            raise ConflictError(
                f"a daemon is running on {layout.root} already{who}",
                hint="see `rota status`; stop it with `rota down`",
                code="already_running",
            ) from None
        return


def running_daemon(layout: Layout) -> DaemonInfo | None:
    """The daemon of this workspace, if one runs. Whether it does is the lock's word, not the file's."""
    try:
        handle = os.open(lock_path(layout), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # A shared lock, so that two that only ask never look like a daemon to each other.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            return DaemonInfo(**json.loads(os.pread(handle, 4096, 0)))
        except (ValueError, TypeError):
            return DaemonInfo(0, 0, "")  # between taking the lock and writing who it is
    else:
        return None
    finally:
        os.close(handle)


def nudge(layout: Layout, message: str = "look") -> bool:
    """Tell the daemon to look now; False when nobody listens. It would look by itself within a second."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # noqa: FBT003 # the library's own signature
        sender.sendto(message.encode(), str(socket_path(layout)))
        return True
    return False


@contextlib.contextmanager
def nudges(layout: Layout) -> Iterator[socket.socket]:
    """The daemon's end: a bound, non-blocking datagram socket."""
    path = socket_path(layout)
    path.unlink(missing_ok=True)
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        receiver.bind(str(path))
        path.chmod(0o600)
        receiver.setblocking(False)  # noqa: FBT003 # the library's own signature
        yield receiver
    finally:
        receiver.close()
        path.unlink(missing_ok=True)
