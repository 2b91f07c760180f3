"""Commands by way of the spawner: a helper process that starts them, ends their trees, and never outlives us."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain, count, islice, takewhile
from pathlib import Path
from typing import Any

import structlog

from rota.engine.cgroups import Group
from rota.engine.limits import Caps
from rota.engine.pipes import Pipes
from rota.engine.process_tree import FAMILY, Tree
from rota.engine.processes import end_tree, not_started, undisturbed
from rota.engine.spawner_line import CLOEXEC, STREAMS, Frames, frame, own
from rota.model.errors import StepError
from rota.model.job import ProcessLimits
from rota.ports.processes import MARKER, Command, Exit, OnOutput

_MARKERS = (MARKER, "ROTA_STEP", "ROTA_ATTEMPT")
_PIECE = 65_536  # of a quarter of a megabyte, memory would be mapped and unmapped for each message
_TOGETHER = 64  # messages to a call of the system
# Who starts a program waits until that is under way. Two can do that at a time: 1,230 → 1,340 commands a second.
HELPERS = 2
PRESSED = 8  # commands of which nothing was heard yet
IDLE = 60.0  # seconds after which the second helper is ended
_PATIENCE = 15.0  # seconds beyond the grace: longer than an ending ever takes
# -P: a file in the folder that happens to be called json.py must not be imported
PROGRAM = (sys.executable, "-P", "-m", "rota.engine.spawner_child")
log = structlog.get_logger("rota.spawner")


class Spawner:
    """The port `Processes`. A helper is started by the first command, and again by the next one when it died.

    It ends, with every command in progress, when this process does, however that happens. Under pressure there is a
    second one: who starts a program waits until that is under way, and others wait behind it. `grace`:
    seconds between SIGTERM and SIGKILL when cancelled; `leftover_grace`: the same for what a command
    leaves behind when it ends by itself. `program`: the helper's argv; it is given a descriptor's number.
    """

    def __init__(
        self, *, grace: float = 2.0, leftover_grace: float = 0.5, program: Sequence[str] | None = None
    ) -> None:
        self._grace = grace
        self._leftover_grace = leftover_grace
        self._program = tuple(program or PROGRAM)
        self._helpers: list[_Helper] = []
        self._most = min(HELPERS, os.cpu_count() or 1)

    async def run(self, command: Command, on_output: OnOutput) -> Exit:
        """Run to the end and leave nothing behind; see the port."""
        if not command.argv:
            raise StepError("there is no command to run", code="not_started", permanent=True)
        started = self._helper().start(command, on_output)
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
        """End the helpers and what they run."""
        await asyncio.gather(*(helper.close() for helper in self._helpers))

    def _helper(self) -> _Helper:
        """Who starts the next command: the one that is behind with the fewest."""
        self._helpers = [helper for helper in self._helpers if not helper.is_lost]
        if not self._helpers:
            self._helpers.append(_Helper(self._program, self._leftover_grace))
        ready = [helper for helper in self._helpers if helper.is_ready] or self._helpers[:1]
        chosen = min(ready, key=lambda helper: helper.behind)
        if chosen.is_ready and chosen.behind >= PRESSED and len(self._helpers) < self._most:
            try:
                self._helpers.append(another := _Helper(self._program, self._leftover_grace))
            except StepError as error:
                log.warning("no_second_spawner", error=error.message)
                self._most = 1
            else:
                asyncio.get_running_loop().call_later(IDLE, _retire, another)
        return chosen


def _retire(helper: _Helper) -> None:
    """End a helper that nobody has needed for a while."""
    if helper.is_lost:
        return
    if (left := helper.last_used + IDLE - time.monotonic()) > 0 or helper.is_busy:
        asyncio.get_running_loop().call_later(max(left, 1.0), _retire, helper)
        return
    helper.retire()


class _Started:
    """A command that the helper was asked to start. `over`: it ended, and its tree; `news`: or its output failed."""

    def __init__(self, helper: _Helper, number: int, command: Command, on_output: OnOutput) -> None:
        self._helper = helper
        self._number = number
        self._command = command
        self._answer: Mapping[str, Any] | None = None
        self.news = asyncio.Event()
        self.over = asyncio.Event()
        self.pipes = Pipes(on_output, self.news.set, command.stdin, outputs=False)
        found = {name: command.env[name] for name in _MARKERS if name in command.env}
        self.markers = found if MARKER in found else {}

    def conclude(self, answer: Mapping[str, Any] | None) -> None:
        """It is over. `answer` None: the helper died before it told how."""
        self._answer = answer
        for name in STREAMS:
            if answer is not None and name in answer:
                self.pipes.deliver(name, answer[name].encode("latin-1"))
        self.over.set()
        self.news.set()

    def goes_on(self, fds: Sequence[int]) -> None:
        """It does not end at once: its output is ours to read, from these pipes."""
        if len(fds) == len(STREAMS):
            self.pipes.adopt(fds)
            return
        for fd in fds:
            os.close(fd)
        words = "too many files are open: the output of the command could not be taken, and it was ended"
        self.pipes.fail(StepError(words, hint="raise the limit (`ulimit -n`)", code="no_descriptors"))

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
        self._flushing = False
        # Pipes that came, each pair with the first byte of its message.
        self._given: deque[list[int]] = deque()
        self._numbers = count(1)
        self._commands: dict[int, _Started] = {}
        self._behind: set[int] = set()
        self._group: Group | None = None
        self.is_ready = False
        self.last_used = time.monotonic()
        self._mourning: asyncio.Task[None] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether it ended, or has to: it takes no more commands."""
        return self._mourning is not None

    @property
    def is_busy(self) -> bool:
        """Whether a command is in progress."""
        return bool(self._commands)

    @property
    def behind(self) -> int:
        """How many commands it was given of which nothing was heard yet."""
        return len(self._behind)

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
        self._behind.add(number)
        self.last_used = time.monotonic()
        self._say(message, started.pipes)
        return started

    def end(self, number: int, grace: float) -> None:
        """Have a command ended; nothing to do when it is over."""
        if number in self._commands and not self.is_lost:
            self._say({"end": number, "grace": grace})

    def retire(self) -> None:
        """End it. It is not busy."""
        self._lose()

    async def close(self) -> None:
        """End it, and the commands in progress."""
        self._lose()
        if self._mourning is not None:
            await self._mourning

    def _say(self, message: Mapping[str, Any], pipes: Pipes | None = None) -> None:
        """Send it, together with what else is said in this turn of the loop."""
        self._outgoing.append(
            (memoryview(frame(message)), pipes if pipes is not None and pipes.far else None)
        )
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send what the socket takes; a pipe's ends go with the first byte of their message."""
        if self.is_lost:
            return
        while self._outgoing:
            data, pipes = self._outgoing[0]
            try:
                if pipes is not None:
                    sent = socket.send_fds(self._line, [data[:_PIECE]], pipes.far)
                    pipes.hand_over()
                    self._outgoing[0] = (data, None)
                else:
                    alike = takewhile(lambda item: item[1] is None, islice(self._outgoing, _TOGETHER))
                    sent = self._line.sendmsg([data for data, _ in alike])
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._line, self._flush)
                return
            except OSError:
                self._lose()
                return
            self._sent(sent)
        self._flushing = False
        self._loop.remove_writer(self._line)

    def _sent(self, count: int) -> None:
        while count:
            data, _ = self._outgoing.popleft()
            if count < len(data):
                self._outgoing.appendleft((data[count:], None))
            count -= min(count, len(data))

    def _hear(self) -> None:
        try:
            data, fds, flags, _ = socket.recv_fds(self._line, _PIECE, len(STREAMS), CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, fds, flags = b"", [], 0
        if fds or flags & socket.MSG_CTRUNC:  # cut short: we have no descriptor left for them
            own(fds)
            self._given.append(fds)
        if not data:
            self._lose()
        for message in self._frames.feed(data):
            if "ready" in message:
                self.is_ready = True
                self._group = Group(Path(message["group"])) if message["group"] else None
                continue
            self._behind.discard(message["number"])
            if "pipes" in message:
                self._commands[message["number"]].goes_on(self._given.popleft())
            else:
                self._commands.pop(message["number"]).conclude(message)

    def _lose(self) -> None:
        """It is gone, or has to go: nothing that it started may go on."""
        if self._mourning is None:
            self._loop.remove_reader(self._line)
            self._loop.remove_writer(self._line)
            self._line.close()
            for fd in chain.from_iterable(self._given):
                os.close(fd)
            self._given.clear()
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
