"""A pool of warm child processes that call Python functions, so that the daemon never imports user code."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from rota.engine.host_batches import STARTING, Exchange
from rota.engine.host_child import HOST_MARKER, MAX_RESULT
from rota.engine.host_code import version
from rota.engine.places import Place, Places
from rota.engine.process_table import resident
from rota.engine.process_tree import FAMILY, Tree
from rota.engine.processes import Child, end_tree, undisturbed
from rota.engine.watch import watched
from rota.model.errors import StepError
from rota.model.job import ProcessLimits
from rota.ports.batches import HostBatch
from rota.ports.commands import overrun_words
from rota.ports.processes import Exit, HostCall, OnOutput

_LEFTOVER_GRACE = 0.5
_LAST_WORDS = 1.0
_MAX_ANSWER = 2 * MAX_RESULT


class HostPool:
    """The port `Hosts`: one call per host, `size` hosts, and up to `most()` while calls have to wait for one.

    `env`: the whole environment that hosts start with. At most `size` hosts stay when idle. A host is
    replaced after `calls` calls, or when it holds more than `memory` bytes; it ends after `idle` seconds
    without a call. `grace`: seconds between SIGTERM and SIGKILL when a call is cancelled.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        *,
        python: str = sys.executable,
        size: int = 4,
        most: Callable[[], int] = lambda: 0,
        calls: int = 20_000,
        memory: int = 300_000_000,
        idle: float = 60.0,
        grace: float = 2.0,
    ) -> None:
        self._env = dict(env)
        self._python = python
        self._size = size
        self._calls = calls
        self._memory = memory
        self._idle_for = idle
        self._grace = grace
        self._places = Places(size, most)
        self._aside = Places(1, lambda: 1)
        self._idle: list[_Host] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    async def call(self, call: HostCall, on_output: OnOutput) -> Any:
        """The function's JSON-able result; see the port."""
        request = _request(call)
        places = self._aside if call.aside else self._places
        async with places.one() as place:
            with FAMILY.at_work():
                return await self._call(call, request, on_output, place)

    async def call_many(self, batch: HostBatch) -> None:
        """Make the calls of a batch in one host; see the port `Batches`."""
        async with self._places.one() as place:
            with FAMILY.at_work():
                await self._call_many(batch, place)

    async def close(self) -> None:
        """End the idle hosts; those in a call end after it."""
        self._closed = True
        for host in list(self._idle):
            self._retire(host)
        while self._leaving:
            await asyncio.wait(self._leaving)

    async def _call(self, call: HostCall, request: bytes, on_output: OnOutput, place: Place) -> Any:
        host = self._take(call)
        place.at_work(STARTING if host.calls == 0 else 0.0)
        try:
            async with watched(host.tree, call.limits) as watch:
                answer = await host.ask(request, on_output)
            keep = answer is not None and not await host.has_left_something()
            if not keep:
                await undisturbed(partial(host.end, _LEFTOVER_GRACE))
        except BaseException:
            await undisturbed(partial(host.end, self._grace))
            raise
        if keep:
            self._give_back(host)
        if answer is None and watch.overrun is not None:
            words = overrun_words(watch.overrun, call.limits or ProcessLimits())
            raise StepError(f"limit: {words}", code="limit")
        if answer is None:
            raise host.death(call.target)
        return _result(answer)

    async def _call_many(self, batch: HostBatch, place: Place) -> None:
        host = self._take(HostCall("", paths=batch.paths, fresh=batch.fresh))
        place.at_work(STARTING if host.calls == 0 else 0.0)
        try:
            exchange = host.exchange(batch)
            try:
                await host.ask_many(exchange)
                error = None
            except TimeoutError:
                error = StepError("the call took too long", code="timeout")
            keep = error is None and exchange.last_word is not None and not await host.has_left_something()
            if not keep:
                exchange.give_back_rest()
                await undisturbed(partial(host.end, _LEFTOVER_GRACE if error is None else self._grace))
                if exchange.under_way:
                    exchange.fail(error or host.death(exchange.target), time.time_ns() // 1000)
        except BaseException:
            await undisturbed(partial(host.end, self._grace))
            raise
        if keep:
            self._give_back(host)

    def _take(self, call: HostCall) -> _Host:
        """An idle host that has only what this call may see, in its present version; else a new one.

        A call with limits has one for itself: what earlier calls left in memory is not its own.
        """
        for host in reversed(self._idle):
            if host.is_dead() or (host.serves(call) and host.is_stale()):
                self._retire(host)
            elif host.serves(call) and call.limits is None:
                self._idle.remove(host)
                host.rest(None)
                return host
        if self._idle and len(self._idle) + self._places.taken > self._size:
            self._retire(self._idle[0])
        return _Host(self._python, self._env, call)

    def _give_back(self, host: _Host) -> None:
        used_up = not host.clean or host.calls >= self._calls or resident(host.pid) > self._memory
        self._idle.append(host)
        if used_up or self._closed or len(self._idle) > self._size:
            self._retire(host)
        else:
            loop = asyncio.get_running_loop()
            host.rest(loop.call_later(self._idle_for, self._retire, host))

    def _retire(self, host: _Host) -> None:
        """Let an idle host go, in the background."""
        self._idle.remove(host)
        host.rest(None)
        leaving = asyncio.get_running_loop().create_task(host.leave(), name=f"host-{host.pid}-leaves")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


class _Host:
    """One host process, as the pool sees it. `clean`: it can take another call; `calls`: that it had."""

    def __init__(self, python: str, env: Mapping[str, str], call: HostCall) -> None:
        self.clean = True
        self.calls = 0
        self._sees = (tuple(call.paths), tuple(call.fresh))
        self._for_one_call = call.limits is not None
        self._files: dict[str, list[int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._end: Exit | None = None
        self._marker = marker = uuid.uuid4().hex
        self._line, far_end = socket.socketpair()
        self._line.settimeout(0.0)  # the loop waits, not the socket
        with far_end:
            fd = far_end.fileno()
            try:
                self._child = Child(
                    # -P: a file in the folder that happens to be called json.py must not be imported
                    [python, "-P", "-m", "rota.engine.host_child", str(fd), str(os.getpid()), marker],
                    cwd=Path("/"),
                    env={**env, HOST_MARKER: marker},
                    on_output=_drop,
                    markers={HOST_MARKER: marker},
                    pass_fds=(fd,),
                    on_over=self._hang_up,
                )
            except BaseException:
                self._line.close()
                raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def tree(self) -> Tree:
        """It, and what it has started."""
        return self._child.tree

    def serves(self, call: HostCall) -> bool:
        """Whether it has imported from the same places only."""
        return self._sees == (tuple(call.paths), tuple(call.fresh))

    def is_dead(self) -> bool:
        """Whether it ended while idle."""
        return self._child.over.is_set()

    def is_stale(self) -> bool:
        """Whether a file that it has imported is another one now."""
        return any(version(path) != seen for path, seen in self._files.items())

    def rest(self, timer: asyncio.TimerHandle | None) -> None:
        """What ends it while it is idle; None: it is not."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer

    async def ask(self, request: bytes, on_output: OnOutput) -> dict[str, Any] | None:
        """Its answer to a call; None when it died. Raises what `on_output` raises."""
        self.calls += 1
        self._child.pipes.on_output = on_output
        try:
            answer = await self._exchange(request)
            if answer is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LAST_WORDS):
                        await self._child.over.wait()
            self._child.settle()
        finally:
            self._child.pipes.on_output = _drop
        if answer is not None:
            self.clean = bool(answer.get("clean")) and not self._for_one_call
            self._files = answer.get("files", {})
        return answer

    def exchange(self, batch: HostBatch) -> Exchange:
        """What is needed to make a batch of calls here."""
        return Exchange(batch, self._line, self._marker, self._child.settle, new=self.calls == 0)

    async def ask_many(self, exchange: Exchange) -> None:
        """Make a batch of calls. Raises TimeoutError when one of them takes too long."""
        self._child.pipes.on_output = exchange.output
        try:
            await exchange.run()
            if exchange.last_word is None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LAST_WORDS):
                        await self._child.over.wait()
            self._child.settle()
        finally:
            self._child.pipes.on_output = _drop
            self.calls += exchange.answered
        if exchange.last_word is not None:
            self.clean = bool(exchange.last_word.get("clean"))
            self._files = exchange.last_word.get("files", {})

    async def has_left_something(self) -> bool:
        """Whether the call left processes behind."""
        if self._child.tree.surely_gone():
            return False
        members = await asyncio.to_thread(self._child.tree.scan)
        return any(proc.pid != self.pid for proc in members)

    async def leave(self) -> None:
        """Have it end by itself, and make sure that it did."""
        try:
            self._line.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await self._child.over.wait()
        finally:
            await undisturbed(partial(self.end, _LEFTOVER_GRACE))

    async def end(self, grace: float) -> None:
        """End it with everything that it started."""
        if self._end is None:
            self._line.close()
            if not (self.is_dead() and self._child.tree.surely_gone()):
                await end_tree(self._child.tree, grace)
            self._end = self._child.close()

    def death(self, target: str) -> StepError:
        """What to say about a host that did not answer."""
        end = self._end or Exit(None)
        if end.signal is None:
            message = f"the Python process of `{target}` ended during the call, with exit code {end.code}"
            hint = "did it call os._exit()? its last words are in the log"
        else:
            known = end.signal in list(signal.Signals)
            name = signal.Signals(end.signal).name if known else f"signal {end.signal}"
            message = f"the Python process of `{target}` was ended by {name}"
            hint = "a crash in native code, a kill by hand, or the system ran out of memory"
        return StepError(message, hint=hint, code="host_died")

    async def _exchange(self, request: bytes) -> dict[str, Any] | None:
        loop = asyncio.get_running_loop()
        pieces: list[bytes] = []
        size = 0
        try:
            await loop.sock_sendall(self._line, request)
            while size <= _MAX_ANSWER and (piece := await loop.sock_recv(self._line, 65_536)):
                pieces.append(piece)
                size += len(piece)
                if piece.endswith(b"\n"):
                    answer = json.loads(b"".join(pieces))
                    return answer if isinstance(answer, dict) else None
        except (OSError, ValueError):  # it hung up, or something else than a host talks
            return None
        return None

    def _hang_up(self) -> None:
        """It ended, or its output is not wanted: wake up whoever waits for its answer."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)


def _request(call: HostCall) -> bytes:
    parts = {
        "target": call.target,
        "kwargs": dict(call.kwargs),
        "env": dict(call.env),
        "cwd": None if call.cwd is None else str(call.cwd),
        "paths": [str(path) for path in call.paths],
        "fresh": [str(path) for path in call.fresh],
        "open_files": None if call.limits is None else call.limits.open_files,
    }
    try:
        return json.dumps(parts, default=_plain, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
    except (TypeError, ValueError) as error:
        raise StepError(
            f"the arguments of `{call.target}` cannot be passed on as JSON: {error}",
            hint="pass text, numbers, lists and mappings",
            permanent=True,
        ) from None


def _plain(value: Any) -> str:
    """YAML knows dates, JSON does not."""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"they contain a {type(value).__name__}")


def _result(answer: Mapping[str, Any]) -> Any:
    error = answer.get("error")
    if error is None:
        return answer.get("result")
    raise StepError(
        error["message"],
        hint=error.get("hint"),
        code=error.get("code"),
        permanent=error.get("permanent"),
        retry_after=error.get("retry_after"),
    )


def _drop(_stream: str, _data: bytes) -> None:
    """What is printed between calls is nobody's."""
