"""The pipes of a child: what it prints is handed on as it comes, what it shall read is fed to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence

from rota.model.errors import StepError
from rota.ports.processes import OnOutput

_OUTPUTS = ("stdout", "stderr")
_CHUNK = 65_536
_DRAIN = 256  # chunks: more than any pipe holds, and an end to what is written into it for ever


class Flow:
    """How fast output is taken in all: a program that prints without end must not keep us busy with it alone.

    `rate`: bytes a second; `burst`: seconds of it that may come at once.
    """

    def __init__(self, rate: float = 200e6, burst: float = 0.05) -> None:
        self._rate = rate
        self._burst = burst
        self._paid_until = 0.0

    def pause(self, size: int, now: float) -> float:
        """Seconds for which whoever has just delivered `size` bytes is to wait; 0 at an ordinary pace."""
        self._paid_until = max(self._paid_until, now - self._burst) + size / self._rate
        return max(0.0, self._paid_until - now)


FLOW = Flow()


class Pipes:
    """Pipes for one child. `far`: its ends (stdout, stderr, and stdin where it is fed), closed by `hand_over`.

    `on_output` may be replaced. `failure`: what it raised, told to `on_failure` at once; what comes
    after that is dropped. `outputs`: False where others make the pipes of stdout and stderr, which may be adopted
    later. Raises StepError when the system has no more pipes.
    """

    def __init__(
        self,
        on_output: OnOutput,
        on_failure: Callable[[], None],
        stdin: bytes | None = None,
        *,
        outputs: bool = True,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.on_output = on_output
        self.failure: Exception | None = None
        self._on_failure = on_failure
        self._near: dict[str, int] = {}
        self._unsent = memoryview(stdin or b"")
        self.far: list[int] = []
        try:
            self._open(_OUTPUTS if outputs else (), feed=stdin is not None)
        except OSError as error:
            self.close()
            words = error.strerror or error
            raise StepError(f"the command could not be started: {words}", code="not_started") from error

    def _open(self, outputs: Sequence[str], *, feed: bool) -> None:
        for name in outputs:
            near, far = os.pipe()
            self.far.append(far)
            self._near[name] = near
        for name in outputs:
            self._watch(name)
        if feed:
            far, self._near["stdin"] = os.pipe()
            self.far.append(far)
            os.set_blocking(self._near["stdin"], False)
            self._loop.add_writer(self._near["stdin"], self._write)

    def adopt(self, fds: Sequence[int]) -> None:
        """Read stdout and stderr from these from now on."""
        for name, fd in zip(_OUTPUTS, fds, strict=True):
            self._near[name] = fd
            self._watch(name)

    def _watch(self, name: str) -> None:
        os.set_blocking(self._near[name], False)
        self._loop.add_reader(self._near[name], self._take, name)

    def hand_over(self) -> None:
        """The child has its ends: close them here, so that each pipe ends with its last writer."""
        while self.far:
            os.close(self.far.pop())

    def drain(self) -> None:
        """Take what is in the pipes now, without waiting for more."""
        for name in _OUTPUTS:
            for _ in range(_DRAIN):
                if self._read(name) < _CHUNK:  # less than was asked for: there was no more
                    break

    def close(self) -> None:
        """Take the last output, and close what is open."""
        self.drain()
        for name in list(self._near):
            self._shut(name)
        self.hand_over()

    def _take(self, name: str) -> None:
        """Hand one chunk on, and leave the pipe alone for a while when too much comes."""
        size = self._read(name)
        pause = FLOW.pause(size, self._loop.time()) if size else 0.0
        if pause and name in self._near:
            self._loop.remove_reader(self._near[name])
            self._loop.call_later(pause, self._go_on, name)

    def _go_on(self, name: str) -> None:
        if name in self._near:
            self._loop.add_reader(self._near[name], self._take, name)

    def _read(self, name: str) -> int:
        """Hand one chunk on; its size, 0 when there is none at present, or none any more."""
        fd = self._near.get(name)
        if fd is None:
            return 0
        try:
            data = os.read(fd, _CHUNK)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            data = b""
        if not data:
            self._shut(name)
            return 0
        self.deliver(name, data)
        return len(data)

    def deliver(self, name: str, data: bytes) -> None:
        """Hand output on, wherever it was read."""
        if self.failure is None:
            try:
                self.on_output(name, data)
            except Exception as error:  # noqa: BLE001 # raised again by whoever waits for the child
                self.fail(error)

    def fail(self, error: Exception) -> None:
        """No output can be taken any more."""
        self.failure = self.failure or error
        self._on_failure()

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._near["stdin"], self._unsent[:_CHUNK]) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # it does not read what it is given: its own business
            self._unsent = memoryview(b"")
        if not self._unsent:
            self._shut("stdin")

    def _shut(self, name: str) -> None:
        fd = self._near.pop(name)
        if name == "stdin":
            self._loop.remove_writer(fd)
        else:
            self._loop.remove_reader(fd)
        os.close(fd)
