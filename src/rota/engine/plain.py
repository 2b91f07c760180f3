"""Plain runs: one step that may be tried again, and nothing around it. Begun and ended many at a time.

Nearly all that such a run costs is overhead: transactions, messages to a host, coroutines. Without
templates, conditions, evidence, messages and followers it needs none of that for itself, so these runs
share it: one commit claims many of them, one message to a host makes many calls, one commit ends many.
What is written is the same as for any other run; one that does not simply succeed goes on in the
executor, from the result of its attempt.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from rota.engine.attempt import Try
from rota.engine.chains import followed
from rota.engine.definitions import Definitions
from rota.engine.environment import markers, run_values
from rota.engine.executor import Executor, Made, Stop
from rota.engine.output import OutputLog
from rota.engine.patience import write_patiently
from rota.engine.plain_recipes import Recipe, Recipes, alike
from rota.model.config import WorkspaceConfig
from rota.model.instants import Micros
from rota.model.run import Attempt, Reason, Run, StepRun, StepState
from rota.ports.batches import Answer, BatchCall, Batches, HostBatch
from rota.ports.bulk import PlainEnd
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.steps import Done, Failed, HostedKind, Services, StepResult
from rota.ports.store import Store, Tx

BATCH = 32  # calls to a message
AT_ONCE = 2  # hosts at work on quick calls: as many as a small machine has cores
GATHER = 0.001  # seconds that a success waits for others, so that they share a commit
LARGE = 16_000  # characters of output that are too many to be copied into a statement with those of others
_NOTHING = (Done(), "{}", '{"output":"","values":{}}')
log = structlog.get_logger("rota.plain")


@dataclass(eq=False)
class PlainRun:
    """A run at work. `worker`: who makes it at present; `stop`: why it is to end."""

    run: Run
    recipe: Recipe
    output: OutputLog | None = None
    worker: asyncio.Task[None] | None = field(default=None, repr=False)
    stop: Stop | None = None


@dataclass(frozen=True)
class _Success:
    plain: PlainRun
    result: Done
    end: PlainEnd


class PlainRuns:
    """The plain runs that are at work in this process."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        definitions: Definitions,
        services: Services,
        executor: Executor,
        *,
        workspace: Path,
        config: Callable[[], WorkspaceConfig],
    ) -> None:
        self._store = store
        self._clock = clock
        self._batches: Batches | None = services.batches
        self._executor = executor
        self._attempts = executor.attempts
        self._workspace = workspace
        self._config = config
        self._recipes = Recipes(definitions, services, self._attempts, workspace=workspace, config=config)
        self._active: dict[str, PlainRun] = {}
        self._todo: deque[PlainRun] = deque()  # those that are calls
        self._workers: set[asyncio.Task[None]] = set()  # who make calls
        self._slow: set[asyncio.Task[None]] = set()  # those of them that wait for a long call
        self._calling = 0
        self._alone: set[asyncio.Task[None]] = set()
        self._ended: list[_Success] = []
        self._writing: asyncio.Task[None] | None = None

    @property
    def active(self) -> frozenset[str]:
        """Ids of the runs that are at work."""
        return frozenset(self._active)

    def recipe(self, run: Run) -> Recipe | None:
        """How to make this run among others; None when it is not a plain one. Raises what a bad definition raises."""
        return self._recipes.of(run)

    def start(self, begun: Sequence[tuple[Run, Recipe]]) -> None:
        """Work on runs that were claimed, and whose step was begun."""
        for run, recipe in begun:
            plain = PlainRun(run, recipe)
            self._active[run.id] = plain
            self._executor.on_start(run.id)
            if recipe.call is not None:
                self._todo.append(plain)
                continue
            plain.worker = asyncio.create_task(self._make_alone(plain), name=f"run {run.id}")
            self._alone.add(plain.worker)
            plain.worker.add_done_callback(self._alone.discard)
        self._hire()

    def stop(self, run_id: str, why: Stop) -> None:
        """End a run: first what it started, then its state, which the executor writes."""
        plain = self._active.get(run_id)
        if plain is None or plain.stop is not None:
            return
        if plain in self._todo:
            self._todo.remove(plain)
            plain.stop = why
            self._hand_over(plain)
        elif plain.worker is not None:  # else it has ended: its success is on its way to the state
            plain.stop = why
            plain.worker.cancel()

    async def drain(self, grace: float) -> None:
        """Let the runs end for `grace` seconds; then the rest goes on in the executor, which ends it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        while self._busy and (left := deadline - loop.time()) > 0:
            await asyncio.wait(self._busy, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for run_id in list(self._active):
            self.stop(run_id, Stop.SHUTDOWN)
        if makers := self._workers | self._alone:
            await asyncio.wait(makers)
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=10.0)

    @property
    def _busy(self) -> set[asyncio.Task[None]]:
        return self._workers | self._alone | ({self._writing} if self._writing else set())

    # Calls, many at a time

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
                        self._hand_over(plain, _internal(error))
            for plain in plains:
                if plain.worker is not me:
                    continue  # it has its answer, or was given back
                plain.worker = None
                if plain.stop is not None:
                    self._hand_over(plain)
                else:
                    self._todo.appendleft(plain)

    def _next_batch(self, worker: asyncio.Task[None]) -> list[PlainRun]:
        """The first of the queue, and those behind it that see the same folders and environment."""
        most = min(BATCH, -(-len(self._todo) // max(1, AT_ONCE - self._calling)))
        first = self._todo[0].recipe.call
        plains: list[PlainRun] = []
        while self._todo and len(plains) < most:
            call = self._todo[0].recipe.call
            if call is None or first is None or not alike(call, first):
                break
            plain = self._todo.popleft()
            plain.worker = worker
            plains.append(plain)
        return plains

    async def _call_many(self, plains: list[PlainRun], worker: asyncio.Task[None]) -> None:
        call = plains[0].recipe.call
        assert call is not None  # noqa: S101 # only such are in the queue
        assert self._batches is not None  # noqa: S101 # else no recipe has a call

        def back(number: int) -> None:
            for plain in reversed(plains[number:]):
                if plain.worker is worker and plain.stop is None:
                    plain.worker = None
                    self._todo.appendleft(plain)
            self._slow.add(worker)  # others make what is left
            self._hire()

        batch = HostBatch(
            [self._call(plain) for plain in plains],
            call.env,
            call.cwd or self._workspace,
            call.paths,
            call.fresh,
            on_output=lambda number, stream, data: self._log_of(plains[number]).write(stream, data),
            on_answer=lambda number, answer: self._answered(plains[number], answer),
            on_back=back,
        )
        self._calling += 1
        try:
            await self._batches.call_many(batch)
        finally:
            self._calling -= 1

    def _call(self, plain: PlainRun) -> BatchCall:
        recipe = plain.recipe
        assert recipe.call is not None  # noqa: S101 # see _call_many
        env = markers(self._workspace, plain.run, recipe.step, 1)
        return BatchCall(recipe.call.target, recipe.call.kwargs, env, recipe.timeout)

    def _answered(self, plain: PlainRun, answer: Answer) -> None:
        if plain.worker is None:
            return
        plain.worker = None
        times = (answer.started_at, answer.finished_at)
        if answer.error is None and answer.result is None and plain.output is None:
            self._succeeded(plain, _NOTHING, times)
            return
        kind = plain.recipe.kind
        assert isinstance(kind, HostedKind)  # noqa: S101 # its recipe has a call
        result = self._attempts.received(kind, answer, plain.recipe.timeout, self._log_of(plain))
        self._made(plain, result, times)

    # Steps of other kinds, each by itself

    async def _make_alone(self, plain: PlainRun) -> None:
        recipe, started = plain.recipe, self._clock.now()
        values = run_values(
            recipe.job, plain.run, {}, workspace=self._workspace, config=self._config(), previous=None
        )
        trying = Try(recipe.job, recipe.step, plain.run, 1, values)
        result: StepResult
        try:
            result = await self._attempts.make(trying, self._log_of(plain))
        except asyncio.CancelledError:
            if plain.stop is None:
                raise
            self._hand_over(plain)
            return
        except Exception as error:
            log.exception("run_raised", run=plain.run.id, job=plain.run.job_id)
            result = _internal(error)
        plain.worker = None
        self._made(plain, result, (started, self._clock.now()))

    # Their ends

    def _made(self, plain: PlainRun, result: StepResult, times: tuple[Micros, Micros]) -> None:
        if isinstance(result, Done) and not result.kept:  # what is kept goes by the journal
            names = dict(result.values)
            outputs = json.dumps({"output": result.output, "values": names})
            if len(outputs) <= LARGE:
                self._succeeded(plain, (result, json.dumps(names), outputs), times)
                return
        self._hand_over(plain, result, times)

    def _succeeded(self, plain: PlainRun, done: tuple[Done, str, str], times: tuple[Micros, Micros]) -> None:
        (result, values, outputs), run, output = done, plain.run, plain.output
        self._ended.append(
            _Success(
                plain,
                result,
                PlainEnd(
                    run.id,
                    run.token,
                    run.job_id,
                    plain.recipe.step.id,
                    *times,
                    result.output,
                    values,
                    outputs,
                    result.exit_code,
                    "" if output is None else output.excerpt(),
                    None
                    if output is None or not output.total
                    else str(output.path.relative_to(self._workspace)),
                    0 if output is None else output.total,
                    int(output is not None and output.truncated),
                ),
            )
        )
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """Write the successes, all that there are at a time."""
        try:
            while self._ended:
                await asyncio.sleep(GATHER)
                ended, self._ended = self._ended, []
                await self._write_all(ended)
                self._executor.on_end()
        finally:
            self._writing = None

    async def _write_all(self, ended: Sequence[_Success]) -> None:
        crash_point("plain.before_success")
        written: Collection[str]
        rest: Collection[str]
        try:
            written, rest = await write_patiently(
                self._store, self._clock, partial(_succeed, ends=[one.end for one in ended])
            )
        except Exception:  # the executor writes each by itself, or says why it cannot be written
            log.exception("successes_not_written", runs=len(ended))
            written, rest = (), {one.plain.run.id for one in ended}
        crash_point("plain.succeeded")
        for one in ended:
            run = one.plain.run
            if run.id in rest:
                self._hand_over(one.plain, one.result, (one.end.started_at, one.end.finished_at))
                continue
            self._active.pop(run.id, None)
            if run.id not in written:
                log.warning("claim_lost", run=run.id, job=run.job_id)

    def _hand_over(
        self, plain: PlainRun, result: StepResult | None = None, times: tuple[Micros, Micros] | None = None
    ) -> None:
        """Leave the rest of a run to the executor: with the result of its attempt, if there is one."""
        run, step = plain.run, plain.recipe.step
        self._active.pop(run.id, None)
        plain.worker = None
        if result is None:
            self._executor.start(run)
        else:
            now = self._clock.now()
            begun_at, ended_at = times or (now, now)
            begun = StepRun(run.id, step.id, 0, StepState.RUNNING, 1, begun_at)
            attempt = Attempt(run.id, step.id, 1, StepState.RUNNING, begun_at, ended_at)
            self._executor.start(run, Made(begun, attempt, result, self._log_of(plain)))
        if plain.stop is not None:
            self._executor.stop(run.id, plain.stop)

    def _log_of(self, plain: PlainRun) -> OutputLog:
        if plain.output is None:
            recipe = plain.recipe
            plain.output = self._attempts.open_log(Try(recipe.job, recipe.step, plain.run, 1, {}))
        return plain.output


def _internal(error: Exception) -> Failed:
    return Failed(Reason("internal", f"{type(error).__name__}: {error}"), retry=False)


def _succeed(tx: Tx, ends: Sequence[PlainEnd]) -> tuple[Collection[str], Collection[str]]:
    """Ids of the runs whose end was written, and of those that others follow: their end is not so simple."""
    after = followed(tx, {end.job_id for end in ends})
    rest = {end.run_id for end in ends if end.job_id in after}
    return tx.bulk.succeed([end for end in ends if end.run_id not in rest]), rest
