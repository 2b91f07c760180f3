"""The program of the spawner: it starts commands for the daemon, ends whole trees, and never outlives the daemon.

Started as `python -P -m rota.engine.spawner_child FD`. Over the socket FD come `start` (with the end of a pipe
that is to be its stdin, if it is fed) and `end`, and go back `ready` (once) and one answer for each start: `over` or
`error`. What a command prints that ends at once stands in its answer; the pipes of one that goes on, or prints more,
are handed to the daemon (`pipes`): much output does not pass through here. One thread, and next to nothing is
imported: it stays small, and what it does between fork and exec is safe.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import subprocess
import sys
import termios
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from rota.engine import spawning
from rota.engine.cgroups import Group, Groups, groups_of_ours
from rota.engine.limits import Caps, overrun, restrict
from rota.engine.process_tree import FAMILY, Tree, become_subreaper
from rota.engine.spawner_line import CLOEXEC, STREAMS, Frames, frame, own
from rota.engine.spawning import Process

_LAST_GRACE = 1.0  # what a command gets when the daemon is gone
_PATIENCE = 10.0
_WATCH_EVERY = 0.2
_WATCH_SHARE = 10  # a look at the limits may cost a tenth of a processor
# A command that takes longer does not end at once: its output is followed by the daemon. To make its pipes there, watch
# and close them takes 75 microseconds of its loop, for a command of half a millisecond.
_HOLD = 0.03
# Starts between two looks at what has ended. A hundred of them take 60 ms; then all would have ended, and both processors
# wait until the daemon has taken that in and asked for the next hundred: 1,130 commands a second, 1,630 with this.
_STARTS = 4
_SMALL = 16_384  # bytes of output that are part of an answer
_PIECE = 65_536  # of a quarter of a megabyte, memory would be mapped and unmapped for each message
_waitid: Any = getattr(os, "waitid", None)  # macOS has it since Python 3.13


class _Command:
    """A command that was started. `held`: the pipes of what it prints, until the daemon has them.

    `steps`: how it is being ended, which goes on at `wake`.
    """

    def __init__(
        self,
        start: Mapping[str, Any],
        process: Process,
        group: Group | None,
        watched: Caps | None,
        held: Sequence[int],
    ) -> None:
        self.number = int(start["start"])
        self.process = process
        self.held = held
        self.hold_until = time.monotonic() + _HOLD
        self.markers: dict[str, str] = start["markers"]
        self.group = group
        self.watched = watched
        self.limit: str | None = None
        self.leftover_grace = float(start["leftover_grace"])
        self.kill_first = bool(start.get("kill_first"))
        self.steps: Iterator[float] | None = None
        self.wake = 0.0
        if _waitid is None:
            self.tree  # noqa: B018 # it has to be looked at before it ends

    @cached_property
    def tree(self) -> Tree:
        """Its tree; made when it is asked for: a look at a process that just starts takes as long as the start."""
        return Tree(self.process.pid, self.markers, kill_all=self.group.kill if self.group else None)

    def has_ended(self) -> bool:
        """Whether its own process has; that is not reaped yet, so that nobody else can have its pid."""
        if _waitid is not None:
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return _waitid(os.P_PID, self.process.pid, how) is not None
        return self.process.poll() is not None

    def cut_short(self) -> None:
        """Kill its own process, where it must not do anything more; it is not reaped yet, so its pid is its own."""
        if self.kill_first and not self.has_ended():
            self.process.kill()

    def printed(self) -> dict[str, int]:
        """How many bytes there are to be read in each of the pipes that are held."""
        sizes = {}
        for name, fd in zip(STREAMS, self.held, strict=False):
            size = int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
            if size:
                sizes[name] = size
        return sizes

    def left_nothing(self) -> bool:
        """Whether its tree ended with it, as far as a cheap look can tell."""
        # Nothing was left to us at all: most commands need no look at their tree, which costs as much as a start.
        alone = FAMILY.subreaper and not FAMILY.orphans()
        gone = alone or self.tree.surely_gone(root_ended=True)
        return gone and not (self.group and self.group.populated())


class Spawner:
    """One spawner. `line`: the socket; `daemon`: the process at its other end."""

    def __init__(self, line: socket.socket, daemon: int) -> None:
        self._line = line
        self._frames = Frames()
        self._fds: list[int] = []
        self._asked: deque[tuple[Mapping[str, Any], list[int]]] = deque()  # what is yet to be started
        self._commands: dict[int, _Command] = {}
        self._groups: Groups | None = groups_of_ours(daemon)
        self._emptied: list[Group] = []
        self._holding: deque[_Command] = deque()  # in the order in which they began
        self._outgoing = bytearray()
        self._watch_at = 0.0
        self._nothing = os.open(os.devnull, os.O_RDONLY)
        self._is_told, teller = os.pipe()
        for fd in (self._is_told, teller):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(teller, warn_on_full_buffer=False)
        # Handlers, since what is ignored here would be ignored by commands too. The daemon's end is ours.
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def serve(self) -> None:
        """Do what the daemon asks for, until it is gone; then end everything."""
        self._send({"ready": True, "group": None if self._groups is None else str(self._groups.path)})
        self._flush()
        selector = selectors.DefaultSelector()
        selector.register(self._line, selectors.EVENT_READ)
        selector.register(self._is_told, selectors.EVENT_READ)
        connected = True
        while connected:
            ready = {key.fd for key, _ in selector.select(self._pause())}
            if self._is_told in ready:
                with suppress(BlockingIOError):
                    os.read(self._is_told, 4096)
                self._notice_ends()
                self._flush()
            if self._line.fileno() in ready:
                connected = self._receive()
            for _ in range(min(_STARTS, len(self._asked))):
                self._start(*self._asked.popleft())
            self._go_on()
            self._flush()
        self._end_all()

    def _pause(self) -> float | None:
        """Seconds until something is to be done."""
        if self._asked:
            return 0.0
        wakes = [command.wake for command in self._commands.values() if command.steps is not None]
        if any(command.watched is not None for command in self._commands.values()):
            wakes.append(self._watch_at)
        if self._holding:
            wakes.append(self._holding[0].hold_until)
        return max(0.0, min(wakes) - time.monotonic()) if wakes else None

    def _receive(self) -> bool:
        """Take what the daemon says; False when it is gone."""
        try:
            data, fds, _, _ = socket.recv_fds(self._line, _PIECE, 64, socket.MSG_DONTWAIT | CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        own(fds)
        self._fds += fds
        for message in self._frames.feed(data):
            if "start" in message:
                given = message["fds"]
                self._asked.append((message, self._fds[:given]))
                del self._fds[:given]
            elif (command := self._commands.get(message["end"])) is not None:
                command.cut_short()
                self._end(command, message["grace"])
            else:
                self._forgo(message["end"])
        return bool(data)

    def _forgo(self, number: int) -> None:
        """Do not start a command, if it is yet to be."""
        for asked in self._asked:
            if asked[0]["start"] == number:
                self._asked.remove(asked)
                _close(asked[1])
                self._send({"number": number, "over": None, "limit": None})
                return

    def _send(self, message: Mapping[str, Any]) -> None:
        self._outgoing += frame(message)

    def _flush(self) -> None:
        """Say what there is to be said."""
        if self._outgoing:
            with suppress(OSError):  # the daemon is gone: that is noticed where it is listened to
                self._line.sendall(self._outgoing)
            self._outgoing.clear()

    def _hand_over(self, command: _Command) -> None:
        """Its output is the daemon's to read from now on."""
        self._flush()
        message, pipes, command.held = frame({"number": command.number, "pipes": True}), command.held, ()
        with suppress(OSError):
            sent = socket.send_fds(self._line, [message], pipes)
            self._line.sendall(message[sent:])
        for fd in pipes:
            os.close(fd)

    def _start(self, start: Mapping[str, Any], theirs: list[int]) -> None:
        """Start a command. `theirs`: the end of the pipe that it is to read, if it is fed."""
        caps = Caps(**start["limits"])
        stdin = theirs[0] if theirs else self._nothing
        group = self._groups.make(str(start["start"]), caps) if self._groups else None
        argv, cwd, env = start["argv"], start["cwd"], start["env"]
        ours: list[int] = []
        try:
            for _ in STREAMS:
                near, far = os.pipe()
                ours.append(near)
                theirs.append(far)
            streams = (stdin, theirs[-2], theirs[-1])
            process = FAMILY.start(lambda: spawning.start(argv, cwd, env, streams, _preparation(group, caps)))
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            about = [getattr(error, "errno", None), getattr(error, "strerror", None) or str(error)]
            self._send({"number": start["start"], "error": about})
            if group is not None:
                self._emptied.append(group)
            _close(ours)
            return
        finally:
            _close(theirs)
        command = _Command(start, process, group, self._to_watch(caps, group), ours)
        self._commands[command.number] = command
        self._holding.append(command)
        FAMILY.begin()

    def _to_watch(self, caps: Caps, group: Group | None) -> Caps | None:
        """The limits that nobody else keeps."""
        enforced = self._groups.enforces if group is not None and self._groups is not None else {}
        memory = None if enforced.get("memory") else caps.memory
        processes = None if enforced.get("processes") else caps.processes
        if memory is None and processes is None:
            return None
        return Caps(memory=memory, processes=processes)

    def _notice_ends(self) -> None:
        for command in list(self._commands.values()):
            if command.steps is None and command.has_ended():
                if command.left_nothing():
                    self._over(command)
                else:
                    self._end(command, command.leftover_grace)

    def _end(self, command: _Command, grace: float) -> None:
        if command.held:  # what is asked to end may have much to say
            self._hand_over(command)
        command.steps = command.tree.ending(grace)
        command.wake = 0.0

    def _go_on(self) -> None:
        """The next step of each ending that it is time for, and a look at the limits."""
        for command in list(self._commands.values()):
            if command.steps is not None and command.wake <= time.monotonic():
                pause = next(command.steps, None)
                if pause is None:
                    self._over(command)
                else:
                    command.wake = time.monotonic() + pause
        begun = time.monotonic()
        while self._holding and (not self._holding[0].held or self._holding[0].hold_until <= begun):
            command = self._holding.popleft()
            if command.held and not command.has_ended():  # else it is noticed in the next turn
                self._hand_over(command)
        if begun >= self._watch_at:
            for command in self._commands.values():
                if command.watched is not None and command.steps is None:
                    command.limit = overrun(command.tree.scan(), command.watched)
                    if command.limit is not None:
                        # No SIGTERM: its parts would end one by one, and what is left call it a success.
                        command.steps = command.tree.killing(_PATIENCE)
                        command.wake = 0.0
            took = time.monotonic() - begun
            self._watch_at = begun + max(_WATCH_EVERY, took * _WATCH_SHARE)

    def _over(self, command: _Command) -> None:
        """Its tree has ended: reap it, and tell."""
        if command.group is not None:
            command.group.kill()  # who hid from all looks
            command.limit = command.limit or command.group.overrun()
            self._emptied.append(command.group)
        self._emptied = [group for group in self._emptied if not group.remove()]
        code = command.process.poll()  # None: not even SIGKILL ended it, it waits for the kernel
        if code is not None:
            FAMILY.forget(command.process.pid)
        FAMILY.finish()
        del self._commands[command.number]
        self._send(
            {"number": command.number, "over": code, "limit": command.limit, **self._last_words(command)}
        )

    def _last_words(self, command: _Command) -> dict[str, str]:
        """What it printed and nobody has read, by stream. Its writers are gone: what is there now is all."""
        sizes = command.printed()
        if sum(sizes.values()) > _SMALL:
            self._hand_over(command)
            return {}
        pipes = dict(zip(STREAMS, command.held, strict=False))
        words = {name: os.read(pipes[name], size).decode("latin-1") for name, size in sizes.items()}
        _close(command.held)
        command.held = ()
        return words

    def _end_all(self) -> None:
        """End everything that was started here, whatever it hides."""
        kill_all = self._groups.kill if self._groups is not None else None
        markers = [command.markers for command in self._commands.values()]
        for command in self._commands.values():
            command.cut_short()
        for pause in Tree(os.getpid(), *markers, kill_all=kill_all).ending(_LAST_GRACE):
            time.sleep(pause)
        if self._groups is not None:
            self._groups.kill()
            self._groups.remove(1.0)


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)


def _preparation(group: Group | None, caps: Caps) -> Callable[[], None] | None:
    """What to do between fork and exec; None where there is nothing: then starting is cheaper."""
    if group is None and caps.open_files is None:
        return None

    def prepare() -> None:
        if group is not None:
            with suppress(OSError):  # then its tree is found by other marks
                group.enter()
        restrict(caps)

    return prepare


def main() -> None:
    """Serve the daemon that started us."""
    fd = int(sys.argv[1])
    os.set_inheritable(fd, False)  # noqa: FBT003 # the signature of os
    become_subreaper()
    Spawner(socket.socket(fileno=fd), os.getppid()).serve()


if __name__ == "__main__":
    main()
