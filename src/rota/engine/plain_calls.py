"""The calls among plain runs: made in hosts, many to a message, some claimed ahead of their turn.

A run that is claimed ahead costs no place: its call waits here, behind quick ones. Once a call turns out
slow, those that would find no place soon are given back, so that they wait in the queue like any other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from rota.engine.attempt import Attempts
from rota.engine.environment import markers
from rota.engine.plain_recipes import alike
from rota.engine.plain_run import PlainRun
from rota.ports.batches import Answer, BatchCall, Batches, HostBatch
from rota.ports.clock import Clock

BATCH = 64  # calls to a message
AT_ONCE = 2  # hosts at work on quick calls: as many as a small machine has cores
AHEAD = 900  # calls that are claimed before their turn: a commit that claims many costs little more than one of ten
CALM = 1.0  # seconds after a slow call in which nothing is claimed ahead
log = structlog.get_logger("rota.plain")


class QuickCalls:
    """`answered` is told how a call ended; `failed`: that none of its kind can be made; `given_back`: which runs
    were claimed ahead and are to wait in the queue again; `slow`: that one takes its time. `places()`: how many
    runs may be at work at once."""

    def __init__(
        self,
        batches: Batches | None,
        clock: Clock,
        attempts: Attempts,
        workspace: Path,
        *,
        places: Callable[[], int],
    ) -> None:
        self._batches = batches
        self._clock = clock
        self._attempts = attempts
        self._workspace = workspace
        self._places = places
        self._todo: deque[PlainRun] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._slow: set[asyncio.Task[None]] = set()  # those of them that wait for a long call
        self._calling = 0
        self._at_hosts = 0
        self._slow_at = -CALM
        self.answered: Callable[[PlainRun, Answer], None] = lambda _plain, _answer: None
        self.failed: Callable[[PlainRun, Exception | None], None] = lambda _plain, _error: None
        self.given_back: Callable[[Sequence[PlainRun]], None] = lambda _plains: None
        self.slow: Callable[[PlainRun], None] = lambda _plain: None

    @property
    def workers(self) -> set[asyncio.Task[None]]:
        """Who make calls."""
        return set(self._workers)

    @property
    def taken(self) -> int:
        """Calls that hosts have."""
        return self._at_hosts

    @property
    def waiting(self) -> int:
        """Calls that no host has yet."""
        return len(self._todo)

    @property
    def ahead(self) -> int:
        """How many more may be claimed than there are places."""
        calm = self._clock.monotonic() - self._slow_at >= CALM
        return max(0, AHEAD - len(self._todo)) if calm and not self._slow else 0

    def add(self, plains: Sequence[PlainRun], *, first: bool) -> None:
        """Make these calls; `first`: before those that wait already."""
        if first:
            self._todo.extendleft(reversed(plains))
        else:
            self._todo.extend(plains)
        self._hire()

    def withdraw(self, plain: PlainRun) -> bool:
        """Take a call back that no host has; False when one has it."""
        if plain not in self._todo:
            return False
        self._todo.remove(plain)
        return True

    def _hire(self) -> None:
        free = AT_ONCE - (len(self._workers) - len(self._slow))
        for _ in range(min(free, len(self._todo))):
            worker = asyncio.create_task(self._work(), name="plain runs")
            self._workers.add(worker)
            worker.add_done_callback(self._dismiss)

    def _dismiss(self, worker: asyncio.Task[None]) -> None:
        self._workers.discard(worker)
        self._slow.discard(worker)
        self._hire()

    async def _work(self) -> None:
        """Make batches until there is nothing to do, or until a call turned out slow."""
        me = asyncio.current_task()
        assert me is not None  # noqa: S101 # a coroutine of a task
        while self._todo and me not in self._slow:
            plains = self._next_batch(me)
            self._at_hosts += len(plains)
            try:
                await self._call_many(plains, me)
            except asyncio.CancelledError:
                if not any(plain.stop for plain in plains):
                    raise
                me.uncancel()  # one of its runs was to end; the others are made by the next host
            except Exception as error:
                log.exception("batch_failed", runs=len(plains))
                for plain in plains:
                    if plain.worker is me:
                        self._release(plain)
                        self.failed(plain, error)
            for plain in plains:
                if plain.worker is not me:
                    continue  # it has its answer, or was given back
                self._release(plain)
                if plain.stop is not None:
                    self.failed(plain, None)
                else:
                    self._todo.appendleft(plain)

    def _release(self, plain: PlainRun) -> None:
        """No host has it any more."""
        plain.worker = None
        self._at_hosts -= 1

    def _next_batch(self, worker: asyncio.Task[None]) -> list[PlainRun]:
        """The first of the queue, and those behind it that see the same folders and environment."""
        most = min(BATCH, -(-len(self._todo) // max(1, AT_ONCE - self._calling)))
        first = self._todo[0].recipe.call
        now = self._clock.now()
        plains: list[PlainRun] = []
        while self._todo and len(plains) < most:
            call = self._todo[0].recipe.call
            if call is None or first is None or not alike(call, first):
                break
            plain = self._todo.popleft()
            plain.worker = worker
            plain.begun_at = now
            plains.append(plain)
        return plains

    async def _call_many(self, plains: list[PlainRun], worker: asyncio.Task[None]) -> None:
        call = plains[0].recipe.call
        assert call is not None  # noqa: S101 # only such are in the queue
        assert self._batches is not None  # noqa: S101 # else no recipe has a call

        def back(number: int) -> None:
            for plain in reversed(plains[number:]):
                if plain.worker is worker and plain.stop is None:
                    self._release(plain)
                    self._todo.appendleft(plain)
            if number and plains[number - 1].worker is worker:
                self.slow(plains[number - 1])
            self._slow.add(worker)  # others make what is left
            self._slow_at = self._clock.monotonic()
            self._thin_out()
            self._hire()

        def answered(number: int, answer: Answer) -> None:
            plain = plains[number]
            if plain.worker is not None:
                self._release(plain)
                self.answered(plain, answer)

        batch = HostBatch(
            [self._call(plain) for plain in plains],
            call.env,
            call.cwd or self._workspace,
            call.paths,
            call.fresh,
            on_output=lambda number, stream, data: plains[number].log_of(self._attempts).write(stream, data),
            on_answer=answered,
            on_back=back,
        )
        self._calling += 1
        try:
            await self._batches.call_many(batch)
        finally:
            self._calling -= 1

    def _thin_out(self) -> None:
        """Give back what was claimed ahead and would find no place now."""
        surplus = len(self._todo) + self._at_hosts - self._places()
        back = [self._todo.pop() for _ in range(min(surplus, len(self._todo)))]
        if back:
            self.given_back(back[::-1])

    def _call(self, plain: PlainRun) -> BatchCall:
        recipe = plain.recipe
        assert recipe.call is not None  # noqa: S101 # see _call_many
        env = markers(self._workspace, plain.run, recipe.step, 1)
        return BatchCall(recipe.call.target, recipe.call.kwargs, env, recipe.timeout)
