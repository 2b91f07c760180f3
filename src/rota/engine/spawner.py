"""Commands by way of the spawner: a helper process that starts them, ends their trees, and never outlives us."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import structlog

from rota.engine.cgroups import Group
from rota.engine.limits import Caps
from rota.engine.pipes import Pipes
from rota.engine.process_tree import FAMILY, Tree
from rota.engine.processes import end_tree, not_started, undisturbed
from rota.engine.spawner_child import Frames, frame
from rota.model.errors import StepError
from rota.model.job import ProcessLimits
from rota.ports.processes import MARKER, Command, Exit, OnOutput

_MARKERS = (MARKER, "ROTA_STEP", "ROTA_ATTEMPT")
_PIECE = 65_536  # of a quarter of a megabyte, memory would be mapped and unmapped for each message
_PATIENCE = 15.0  # seconds beyond the grace: longer than an ending ever takes
# -P: a file in the folder that happens to be called json.py must not be imported
PROGRAM = (sys.executable, "-P", "-m", "rota.engine.spawner_child")
log = structlog.get_logger("rota.spawner")


class Spawner:
    """The port `Processes`. The helper is started by the first command, and again by the next one when it died.

    It ends, with every command in progress, when this process does, however that happens. `grace`:
    seconds between SIGTERM and SIGKILL when cancelled; `leftover_grace`: the same for what a command
    leaves behind when it ends by itself. `program`: the helper's argv; it is given a descriptor's number.
    """

    def __init__(
        self, *, grace: float = 2.0, leftover_grace: float = 0.5, program: Sequence[str] | None = None
    ) -> None:
        self._grace = grace
        self._leftover_grace = leftover_grace
        self._program = tuple(program or PROGRAM)
        self._helper: _Helper | None = None

    async def run(self, command: Command, on_output: OnOutput) -> Exit:
        """Run to the end and leave nothing behind; see the port."""
        if not command.argv:
            raise StepError("there is no command to run", code="not_started", permanent=True)
        if self._helper is None or self._helper.is_lost:
            self._helper = _Helper(self._program, self._leftover_grace)
        started = self._helper.start(command, on_output)
        try:
            await started.news.wait()
            started.settle()
        except BaseException:
            await undisturbed(partial(started.end, self._grace))
            raise
        finally:
            started.pipes.close()
        return started.exit()

    async def sweep(self, markers: Mapping[str, str]) -> int:
        """End every process of this user whose environment has all of `markers`; how many there were."""
        if not markers:
            return 0
        tree = Tree(None, markers)
        await undisturbed(partial(end_tree, tree, self._grace))
        return len(tree.seen)

    async def close(self) -> None:
        """End the helper and what it runs."""
        if self._helper is not None:
            await self._helper.close()


class _Started:
    """A command that the helper was asked to start. `over`: it ended, and its tree; `news`: or its output failed."""

    def __init__(self, helper: _Helper, number: int, command: Command, on_output: OnOutput) -> None:
        self._helper = helper
        self._number = number
        self._command = command
        self._answer: Mapping[str, Any] | None = None
        self.news = asyncio.Event()
        self.over = asyncio.Event()
        self.pipes = Pipes(on_output, self.news.set, command.stdin)
        found = {name: command.env[name] for name in _MARKERS if name in command.env}
        self.markers = found if MARKER in found else {}

    def conclude(self, answer: Mapping[str, Any] | None) -> None:
        """It is over. `answer` None: the helper died before it told how."""
        self._answer = answer
        self.over.set()
        self.news.set()

    def settle(self) -> None:
        """Take the output that is there by now; raises what `on_output` raised."""
        self.pipes.drain()
        if self.pipes.failure is not None:
            raise self.pipes.failure

    def exit(self) -> Exit:
        """How it ended. Raises StepError when it could not be started, or when nobody can tell."""
        answer, command = self._answer, self._command
        if answer is None:
            raise StepError(
                "the spawner ended, and with it the command",
                hint="it was killed by hand, or the system ran out of memory; a new one is started",
                code="spawner_ended",
                permanent=False,
            )
        if "error" in answer:
            number, words = answer["error"]
            error = ValueError(words) if number is None else OSError(number, words)
            raise not_started(error, command.argv, command.cwd, command.env)
        code, limit = answer["over"], answer["limit"]
        return Exit(code, None, limit) if code is None or code >= 0 else Exit(None, -code, limit)

    async def end(self, grace: float) -> None:
        """End it with everything that it started; when the helper does not, end the helper too."""
        self._helper.end(self._number, grace)
        try:
            async with asyncio.timeout(grace + _PATIENCE):
                await self.over.wait()
        except TimeoutError:
            await self._helper.close()


class _Helper:
    """One helper process, as the daemon sees it."""

    def __init__(self, program: Sequence[str], leftover_grace: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._leftover_grace = leftover_grace
        self._line, far_end = socket.socketpair()
        with far_end:
            try:
                self._popen = FAMILY.start(lambda: _start(program, far_end.fileno()))
            except OSError as error:
                self._line.close()
                message = f"the spawner could not be started: {error.strerror or error}"
                raise StepError(message, code="not_started") from error
        self._line.setblocking(False)  # noqa: FBT003 # the signature of socket
        self._loop.add_reader(self._line, self._hear)
        self._frames = Frames()
        self._outgoing: deque[tuple[memoryview, Pipes | None]] = deque()
        self._numbers = count(1)
        self._commands: dict[int, _Started] = {}
        self._group: Group | None = None
        self._mourning: asyncio.Task[None] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether it ended, or has to: it takes no more commands."""
        return self._mourning is not None

    def start(self, command: Command, on_output: OnOutput) -> _Started:
        """Have a command started."""
        number = next(self._numbers)
        started = _Started(self, number, command, on_output)
        limits = command.limits or ProcessLimits()
        message = {
            "start": number,
            "argv": list(command.argv),
            "cwd": str(command.cwd),
            "env": dict(command.env),
            "fds": len(started.pipes.far),
            "markers": started.markers,
            "leftover_grace": self._leftover_grace,
            "kill_first": command.kill_first,
            "limits": Caps(limits.memory, limits.processes, limits.open_files)._asdict(),
        }
        self._commands[number] = started
        self._say(message, started.pipes)
        return started

    def end(self, number: int, grace: float) -> None:
        """Have a command ended; nothing to do when it is over."""
        if number in self._commands and not self.is_lost:
            self._say({"end": number, "grace": grace})

    async def close(self) -> None:
        """End it, and the commands in progress."""
        self._lose()
        if self._mourning is not None:
            await self._mourning

    def _say(self, message: Mapping[str, Any], pipes: Pipes | None = None) -> None:
        self._outgoing.append((memoryview(frame(message)), pipes))
        self._flush()

    def _flush(self) -> None:
        """Send what the socket takes; a pipe's ends go with the first byte of their message."""
        while self._outgoing:
            data, pipes = self._outgoing[0]
            try:
                if pipes is not None:
                    sent = socket.send_fds(self._line, [data[:_PIECE]], pipes.far)
                    pipes.hand_over()
                else:
                    sent = self._line.send(data[:_PIECE])
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._line, self._flush)
                return
            except OSError:
                self._lose()
                return
            self._outgoing.popleft()
            if sent < len(data):
                self._outgoing.appendleft((data[sent:], None))
        self._loop.remove_writer(self._line)

    def _hear(self) -> None:
        try:
            data = self._line.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
        for message in self._frames.feed(data):
            if "group" in message:
                self._group = Group(Path(message["group"]))
            else:
                self._commands.pop(message["number"]).conclude(message)

    def _lose(self) -> None:
        """It is gone, or has to go: nothing that it started may go on."""
        if self._mourning is None:
            self._loop.remove_reader(self._line)
            self._loop.remove_writer(self._line)
            self._line.close()
            self._mourning = self._loop.create_task(self._mourn(), name=f"spawner-{self._popen.pid}-ends")

    async def _mourn(self) -> None:
        left = list(self._commands.values())
        if left:
            log.warning("spawner_ended", pid=self._popen.pid, commands=len(left))
        try:
            await undisturbed(partial(self._end_what_is_left, left))
        finally:
            for started in left:
                started.conclude(None)

    async def _end_what_is_left(self, left: Sequence[_Started]) -> None:
        kill_all = self._group.kill if self._group is not None else None
        tree = Tree(self._popen.pid, *(started.markers for started in left), kill_all=kill_all)
        self._popen.kill()
        await asyncio.to_thread(self._popen.wait)
        FAMILY.forget(self._popen.pid)
        with FAMILY.at_work():  # what it had started is given to us, where we are a subreaper
            await end_tree(tree, self._leftover_grace)
        if self._group is not None:
            self._group.kill()
            await asyncio.to_thread(self._group.remove, 1.0)


def _start(program: Sequence[str], fd: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*program, str(fd)],
        cwd=Path("/"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=(fd,),
    )
