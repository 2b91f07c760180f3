"""A batch of quick calls in one host, seen from the pool: what goes there, and what comes back."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable
from typing import Any

from rota.engine.host_batch import TAKE_BACK, mark_of
from rota.model.errors import StepError
from rota.model.instants import Micros
from rota.ports.batches import Answer, HostBatch

# A call that takes longer is not quick: those behind it need not wait for it. A host that has yet to start
# gets the time for that.
SLOW = 0.02
STARTING = 0.4
_CHUNK = 65_536  # of a quarter of a megabyte, memory would be mapped and unmapped for each answer


class Printed:
    """What the calls of a batch print on one stream, told apart by the marks between them."""

    def __init__(self, mark: bytes, on_output: Callable[[int, bytes], None]) -> None:
        self._mark = mark
        self._on_output = on_output
        self._rest = b""
        self._number = 0

    def take(self, data: bytes) -> None:
        """The next bytes of the stream."""
        *whole, rest = (self._rest + data).split(self._mark)
        for part in whole:
            if part:
                self._on_output(self._number, part)
            self._number += 1
        # The beginning of a mark may stand at the end; the rest is the present call's, and is handed on.
        keep = _overlap(rest, self._mark)
        self._rest = rest[len(rest) - keep :]
        if ready := rest[: len(rest) - keep]:
            self._on_output(self._number, ready)


def _overlap(data: bytes, mark: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of a mark."""
    start = data.rfind(mark[:1], max(0, len(data) - len(mark) + 1))
    while start >= 0 and not mark.startswith(data[start:]):
        start = data.rfind(mark[:1], max(0, len(data) - len(mark) + 1), start)
    return 0 if start < 0 else len(data) - start


class Exchange:
    """One batch. `line`: the host's socket; `settle`: takes what is in its pipes; `new`: it is yet to start."""

    def __init__(
        self, batch: HostBatch, line: socket.socket, marker: str, settle: Callable[[], None], *, new: bool
    ) -> None:
        self._batch = batch
        self._line = line
        self._settle = settle
        self._new = new
        self.answered = 0
        self._until = len(batch.calls)  # calls from this number on are the caller's again
        self._moved = time.monotonic()  # when the call under way began, near enough
        self._asked = self._moved - SLOW  # when the host was last asked for what it has not begun
        self._pending = b""
        self._told = False
        mark = mark_of(marker)
        self._printed = {
            name: Printed(mark, lambda number, data, name=name: batch.on_output(number, name, data))  # type: ignore[misc] # the default binds it now
            for name in ("stdout", "stderr")
        }
        self.last_word: dict[str, Any] | None = None

    @property
    def under_way(self) -> bool:
        """Whether a call may be running: it has no answer, and was not given back."""
        return self.answered < self._until

    def output(self, stream: str, data: bytes) -> None:
        """What the host prints."""
        self._printed[stream].take(data)

    async def run(self) -> None:
        """Until the last word, or until the line is closed. Raises TimeoutError for a call that takes too long."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._line, _request(self._batch))
        over: asyncio.Future[None] = loop.create_future()
        # Not `sock_recv` under a timeout: what arrives in the moment of the timeout would be lost.
        loop.add_reader(self._line, self._readable, over)
        try:
            while not over.done():
                await asyncio.wait({over}, timeout=max(0.0, self._patience()))
                if over.done():
                    break
                if self._patience() > 0:
                    continue  # answers came meanwhile: each call is quick, however long all of them take
                if not self.under_way:
                    return  # every call has its answer, and the host does not come to an end
                if time.monotonic() - self._moved >= self._batch.calls[self.answered].timeout:
                    raise TimeoutError
                if self._until - self.answered > 1:
                    self._asked = time.monotonic()
                    await loop.sock_sendall(self._line, TAKE_BACK)
                else:
                    self._tell(self._until)
        finally:
            loop.remove_reader(self._line)
        over.result()

    def _readable(self, over: asyncio.Future[None]) -> None:
        try:
            data = self._line.recv(_CHUNK)
            if data:
                self._settle()
                self._read(data)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        except Exception as error:  # noqa: BLE001 # raised again by `run`
            if not over.done():
                over.set_exception(error)
            return
        if (not data or self.last_word is not None) and not over.done():
            over.set_result(None)

    @property
    def target(self) -> str:
        """The function that is under way."""
        return self._batch.calls[self.answered].target

    def give_back_rest(self) -> None:
        """The calls behind the one under way will not be begun."""
        self.give_back(self.answered + 1)

    def give_back(self, number: int) -> None:
        """The calls from this number on were not begun."""
        if number < self._until:
            self._until = number
            self._tell(number)

    def _tell(self, number: int) -> None:
        if not self._told:
            self._told = True
            self._batch.on_back(number)

    def fail(self, error: StepError, now: Micros) -> None:
        """The call under way ends with this error."""
        self._batch.on_answer(self.answered, Answer(now, now, None, error))
        self.answered += 1

    def _patience(self) -> float:
        """Seconds until something has to be done about the call under way."""
        now = time.monotonic()
        if self.answered >= self._until:
            return self._moved + STARTING - now  # the last word is on its way
        end = self._moved + self._batch.calls[self.answered].timeout
        if self._told:
            return end - now
        quick = STARTING if self._new and not self.answered else SLOW
        return min(max(self._moved + quick, self._asked + SLOW), end) - now

    def _read(self, data: bytes) -> None:
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            word = json.loads(line)
            if isinstance(word, list):
                number, started, ended, error, result = word
                self.answered = number + 1
                self._batch.on_answer(number, Answer(started, ended, result, _error(error)))
            elif "begun" in word:
                if word["batch"] == id(self._batch):
                    self.give_back(max(word["begun"], self.answered))
            else:
                self.give_back(self.answered)
                self.last_word = word
        self._moved = time.monotonic()


def _request(batch: HostBatch) -> bytes:
    parts = {
        "batch": id(batch),
        "env": dict(batch.env),
        "cwd": str(batch.cwd),
        "paths": [str(path) for path in batch.paths],
        "fresh": [str(path) for path in batch.fresh],
        "calls": [(call.target, call.kwargs, call.env) for call in batch.calls],
    }
    return json.dumps(parts, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _error(error: dict[str, Any] | None) -> StepError | None:
    if error is None:
        return None
    return StepError(
        error["message"],
        hint=error.get("hint"),
        code=error.get("code"),
        permanent=error.get("permanent"),
        retry_after=error.get("retry_after"),
    )
