"""Child processes of the daemon itself, each in its own session; and how a tree is ended without haste or gap."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rota.engine.pipes import Pipes
from rota.engine.process_table import PIDFD
from rota.engine.process_tree import FAMILY, Tree
from rota.model.errors import StepError
from rota.ports.processes import Exit, OnOutput


class Child:
    """A child in a session of its own: its pipes are read as they fill, its end is noticed.

    `over` is set (and `on_over` called) when it has ended, or when `on_output` raised. It is reaped by
    `close` only, after its tree: until then nobody else can have its pid. Raises StepError when it
    cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        on_output: OnOutput,
        markers: Mapping[str, str],
        pass_fds: Sequence[int] = (),
        on_over: Callable[[], None] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.over = asyncio.Event()
        self._on_over = on_over
        self.pipes = Pipes(on_output, self._set_over)
        try:
            self._popen = FAMILY.start(lambda: _start(argv, cwd, env, self.pipes.far, pass_fds))
        except BaseException:
            self.pipes.close()
            raise
        self.pipes.hand_over()
        self.tree = Tree(self._popen.pid, markers)
        self._pidfd = self._watch()

    @property
    def pid(self) -> int:
        """Its process id, and its session's."""
        return self._popen.pid

    def settle(self) -> None:
        """Take what is in the pipes now, without waiting for more; raises what `on_output` raised."""
        self.pipes.drain()
        if self.pipes.failure is not None:
            raise self.pipes.failure

    def close(self) -> Exit:
        """Take the last output and reap it. Its tree has ended."""
        self.pipes.close()
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        with suppress(subprocess.TimeoutExpired):  # one that SIGKILL cannot end waits for the kernel
            self._popen.wait(0.1)
        code = self._popen.returncode
        if code is None:
            return Exit(None)
        FAMILY.forget(self._popen.pid)
        return Exit(code) if code >= 0 else Exit(None, -code)

    def _watch(self) -> int | None:
        """Notice its end: by a pidfd, which leaves it unreaped; else a thread that waits for it."""
        if PIDFD is not None:
            with suppress(OSError):
                pidfd = PIDFD[0](self._popen.pid)
                self._loop.add_reader(pidfd, self._exited)
                return pidfd
        threading.Thread(target=self._wait, name=f"wait-{self._popen.pid}", daemon=True).start()
        return None

    def _wait(self) -> None:
        self._popen.wait()
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._exited)

    def _exited(self) -> None:
        if self._pidfd is not None:
            self._loop.remove_reader(self._pidfd)
        self._set_over()

    def _set_over(self) -> None:
        self.over.set()
        if self._on_over is not None:
            self._on_over()


async def end_tree(tree: Tree, grace: float) -> None:
    """SIGTERM, `grace` seconds, then SIGKILL until nobody is left."""
    steps = tree.ending(grace)
    while True:
        pause = await asyncio.to_thread(next, steps, None)
        if pause is None:
            return
        await asyncio.sleep(pause)


async def undisturbed(work: Callable[[], Awaitable[None]]) -> None:
    """Do the work to its end, however often we are cancelled meanwhile; the cancellation goes on after."""
    cancelled = False
    while True:
        part = asyncio.ensure_future(work())
        while not part.done():
            try:
                await asyncio.wait({part})
            except asyncio.CancelledError:
                cancelled = True
        if not part.cancelled():  # a loop that shuts down cancels the part itself: then once more
            break
        cancelled = True
    part.result()
    if cancelled:
        raise asyncio.CancelledError


def not_started(error: Exception, argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> StepError:
    """What kept a program from starting, in words."""
    message, hint, permanent = _why_not(error, argv[0], cwd, env)
    return StepError(message, hint=hint, code="not_started", permanent=permanent)


def _start(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], far: Sequence[int], pass_fds: Sequence[int]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=far[0],
            stderr=far[1],
            start_new_session=True,
            pass_fds=tuple(pass_fds),
        )
    except (OSError, ValueError) as error:
        raise not_started(error, argv, cwd, env) from error


def _why_not(
    error: Exception, program: str, cwd: Path, env: Mapping[str, str]
) -> tuple[str, str | None, bool]:
    """What kept a program from starting: message, hint, whether trying again is useless."""
    if not isinstance(error, OSError):
        return f"`{program}` could not be started: {error}", None, True
    if not cwd.is_dir():
        return f"the folder to run in is not there: {cwd}", "create it, or change `cwd`", True
    if not os.access(cwd, os.X_OK):
        return f"the folder to run in may not be entered: {cwd}", f"chmod u+x {cwd}", True
    match error.errno:
        case errno.ENOENT if "/" in program and (cwd / program).exists():
            hint = "look at the `#!` line at its top"
            return f"`{program}` names an interpreter that is not there", hint, True
        case errno.ENOENT if "/" in program:
            return f"there is no program `{program}`", f"it is looked for from {cwd}", True
        case errno.ENOENT:
            hint = f"is it installed, and on the PATH of the step? PATH={env.get('PATH', os.defpath)}"
            return f"there is no program `{program}`", hint, True
        case errno.EACCES | errno.EPERM:
            return f"`{program}` may not be executed", f"chmod +x {program}", True
        case errno.ENOEXEC:
            hint = "a script needs a first line like `#!/bin/sh`"
            return f"`{program}` is not a program that this system can run", hint, True
        case errno.E2BIG:
            hint = "give large values by standard input or in a file"
            return f"`{program}`: its arguments and environment are too long", hint, True
        case _:  # out of processes, memory or files: later there may be some
            return f"`{program}` could not be started: {error.strerror or error}", None, False
