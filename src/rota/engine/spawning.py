"""How the spawner starts a program: by `posix_spawn` where that can do what is asked, else by `subprocess.Popen`.

`Popen` runs a hundred lines of Python for each start: 0.11 ms of processor time for /bin/true, where `posix_spawn`
takes 0.06. It is for processes of one thread: the folder to run in is entered here for the moment of the start.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

# musl and glibc know POSIX_SPAWN_SETSID; of other systems' libraries not all do.
_CAN_SPAWN = sys.platform == "linux" and hasattr(os, "posix_spawn")
# What Python ignores and programs do not expect to be ignored; as `Popen` puts them back.
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)


class Process(Protocol):
    """A child in a session of its own."""

    @property
    def pid(self) -> int:
        """Its process id, and its session's."""
        ...

    def poll(self) -> int | None:
        """Reap it if it has ended: its exit code, or minus the signal that ended it."""
        ...

    def kill(self) -> None:
        """Send SIGKILL; it was not reaped yet."""
        ...


class _Spawned:
    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def start(
    argv: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    streams: tuple[int, int, int],
    prepare: Callable[[], None] | None,
) -> Process:
    """Start a program with these descriptors as its stdin, stdout and stderr.

    `prepare`: to be done in the child before. Raises OSError, or ValueError for texts that no program can be given.
    """
    if prepare is None and _CAN_SPAWN:
        return _spawn(argv, cwd, env, streams)
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509 # there is one thread only
    )


def _spawn(argv: Sequence[str], cwd: str, env: Mapping[str, str], streams: tuple[int, int, int]) -> _Spawned:
    """Every descriptor of ours closes by itself in the child, but for the three."""
    actions = [(os.POSIX_SPAWN_DUP2, given, wanted) for wanted, given in enumerate(streams)]
    first: OSError | None = None
    os.chdir(cwd)
    try:
        for program in _candidates(argv[0], env):
            try:
                pid = os.posix_spawn(
                    program, list(argv), env, file_actions=actions, setsid=True, setsigdef=_RESTORED
                )
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    first = first or error
            else:
                return _Spawned(pid)
    finally:
        os.chdir("/")
    raise first or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])


def _candidates(program: str, env: Mapping[str, str]) -> Iterator[str]:
    """Where a program may be: as `execvp` looks for it, in the PATH of its own environment."""
    if "/" in program:
        yield program
        return
    for folder in os.get_exec_path(env):
        path = f"{folder}/{program}" if folder else program
        if os.access(path, os.F_OK):
            yield path
