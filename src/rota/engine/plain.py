"""Plain runs: one step that may be tried again, and nothing around it. Begun and ended many at a time.

Nearly all that such a run costs is overhead: transactions, messages to a host, coroutines. Without
templates, conditions, evidence, messages and followers it needs none of that for itself, so these runs
share it: one commit claims many of them, one message to a host makes many calls (`plain_calls`), one
commit ends many (`plain_journal`). What is written is the same as for any other run; one that does not
simply succeed goes on in the executor, from the result of its attempt.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from rota.engine.attempt import Try
from rota.engine.definitions import Definitions
from rota.engine.environment import Deferred, run_values
from rota.engine.executor import Executor, Made, Stop
from rota.engine.plain_calls import QuickCalls
from rota.engine.plain_journal import PlainJournal, Success
from rota.engine.plain_recipes import Recipe, Recipes
from rota.engine.plain_run import PlainRun
from rota.model.config import WorkspaceConfig
from rota.model.errors import LostClaimError
from rota.model.instants import Micros
from rota.model.run import Attempt, Reason, Run, StepRun, StepState
from rota.ports.batches import Answer
from rota.ports.bulk import PlainEnd
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.steps import Done, Failed, HostedKind, Services, StepResult
from rota.ports.store import Store, Tx

LARGE = 16_000  # characters of output that are too many to be copied into a statement with those of others
_NOTHING = (Done(), "{}", '{"output":"","values":{}}')
_BACK = Reason("queued", "waiting for a free place")
log = structlog.get_logger("rota.plain")


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
        self._executor = executor
        self._attempts = executor.attempts
        self._workspace = workspace
        self._config = config
        self._recipes = Recipes(definitions, services, self._attempts, workspace=workspace, config=config)
        self._active: dict[str, PlainRun] = {}
        self._alone: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._calls = QuickCalls(
            services.batches, clock, self._attempts, workspace, places=lambda: config().limits.runs
        )
        self._calls.answered = self._answered
        self._calls.failed = self._not_made
        self._calls.given_back = self._give_back
        self._calls.slow = self._is_slow
        self._journal = PlainJournal(store, clock, lambda: list(self._active.values()))
        self._journal.rest = lambda one: self._hand_over(
            one.plain, one.result, (one.end.started_at, one.end.finished_at)
        )
        self._journal.ended = self._forget
        self._journal.on_end = self._places_are_free

    @property
    def active(self) -> frozenset[str]:
        """Ids of the runs that are at work."""
        return frozenset(self._active)

    @property
    def taken(self) -> int:
        """How many places they take: those that wait for their call, or for a commit, take none."""
        return self._calls.taken + len(self._alone)

    @property
    def ahead(self) -> int:
        """How many runs that are calls may be claimed beyond the free places."""
        return self._calls.ahead

    def recipe(self, run: Run) -> Recipe | None:
        """How to make this run among others; None when it is not a plain one. Raises what a bad definition raises."""
        return self._recipes.of(run)

    def start(self, begun: Sequence[tuple[Run, Recipe]], *, first: bool = False) -> None:
        """Work on runs that were claimed; `first`: before those that wait already."""
        calls: list[PlainRun] = []
        for run, recipe in begun:
            plain = PlainRun(run, recipe)
            self._active[run.id] = plain
            self._executor.on_start(run.id)
            if recipe.call is not None:
                calls.append(plain)
                continue
            plain.begun_at = self._clock.now()
            plain.worker = asyncio.create_task(self._make_alone(plain), name=f"run {run.id}")
            self._alone.add(plain.worker)
            plain.worker.add_done_callback(self._alone.discard)
        if len(calls) < len(begun):
            self._journal.watch()
        if calls:
            self._calls.add(calls, first=first)

    def stop(self, run_id: str, why: Stop) -> None:
        """End a run: first what it started, then its state, which the executor writes."""
        plain = self._active.get(run_id)
        if plain is None or plain.stop is not None:
            return
        if self._calls.withdraw(plain):
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
        if makers := self._calls.workers | self._alone:
            await asyncio.wait(makers)
        for last in filter(None, (self._journal.writing, *self._leaving)):
            await asyncio.wait({last}, timeout=10.0)

    @property
    def _busy(self) -> set[asyncio.Task[None]]:
        return (
            self._calls.workers | self._alone | ({self._journal.writing} if self._journal.writing else set())
        )

    def _places_are_free(self) -> None:
        self._executor.on_end()

    def _forget(self, plain: PlainRun) -> None:
        self._active.pop(plain.run.id, None)

    # Calls

    def _answered(self, plain: PlainRun, answer: Answer) -> None:
        times = (answer.started_at, answer.finished_at)
        if answer.error is None and answer.result is None and plain.output is None:
            self._succeeded(plain, _NOTHING, times)
            return
        kind = plain.recipe.kind
        assert isinstance(kind, HostedKind)  # noqa: S101 # its recipe has a call
        log_ = plain.log_of(self._attempts)
        result = self._attempts.received(kind, answer, plain.recipe.timeout, log_)
        self._made(plain, result, times)

    def _not_made(self, plain: PlainRun, error: Exception | None) -> None:
        """Its call was ended, or could not be made at all."""
        self._hand_over(plain, None if error is None else _internal(error))

    def _is_slow(self, plain: PlainRun) -> None:
        if not plain.told:
            self._later(self._journal.show([plain]))

    def _give_back(self, plains: Sequence[PlainRun]) -> None:
        """Runs that were claimed ahead wait in the queue again; nothing of them was begun."""
        for plain in plains:
            plain.over = True
        self._later(self._write_back(plains))

    async def _write_back(self, plains: Sequence[PlainRun]) -> None:
        try:
            runs = [plain.run for plain in plains]
            for lost in await self._store.write(partial(_release, runs=runs, now=self._clock.now())):
                log.warning("claim_lost", run=lost.id, job=lost.job_id)
            crash_point("plain.given_back")
        finally:  # what could not be written is found by the dispatcher: ours, and at work nowhere
            for plain in plains:
                self._forget(plain)
            self._places_are_free()

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("state_not_written", error=str(error))

    # Steps of other kinds, each by itself

    async def _make_alone(self, plain: PlainRun) -> None:
        recipe, started, config = plain.recipe, self._clock.now(), self._config()
        values = Deferred(
            lambda: run_values(
                recipe.job, plain.run, {}, workspace=self._workspace, config=config, previous=None
            )
        )
        trying = Try(recipe.job, recipe.step, plain.run, 1, values)
        result: StepResult
        try:
            result = await self._attempts.make(trying, plain.log_of(self._attempts))
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
        printed = output is not None and output.total > 0
        end = PlainEnd(
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
            str(output.path.relative_to(self._workspace)) if output is not None and printed else None,
            0 if output is None else output.total,
            int(output is not None and output.truncated),
        )
        self._journal.succeeded(Success(plain, result, end))

    def _hand_over(
        self, plain: PlainRun, result: StepResult | None = None, times: tuple[Micros, Micros] | None = None
    ) -> None:
        """Leave the rest of a run to the executor: with the result of its attempt, or as far as that came."""
        run, step = plain.run, plain.recipe.step
        self._forget(plain)
        plain.worker = None
        plain.over = True
        now = self._clock.now()
        begun_at, ended_at = times or (plain.begun_at or now, now)
        begun = StepRun(run.id, step.id, 0, StepState.RUNNING, 1, begun_at)
        attempt = Attempt(run.id, step.id, 1, StepState.RUNNING, begun_at)
        if result is not None:
            attempt = replace(attempt, finished_at=ended_at)
            self._executor.start(run, Made(begun, attempt, result, plain.log_of(self._attempts)))
        else:
            self._executor.start(run, begun=None if plain.begun_at is None else (begun, attempt))
        if plain.stop is not None:
            self._executor.stop(run.id, plain.stop)


def _internal(error: Exception) -> Failed:
    return Failed(Reason("internal", f"{type(error).__name__}: {error}"), retry=False)


def _release(tx: Tx, runs: Sequence[Run], now: Micros) -> list[Run]:
    """Give runs back; those that are not ours any more."""
    lost: list[Run] = []
    for run in runs:
        try:
            tx.runs.release(run, now, _BACK)
        except LostClaimError:
            lost.append(run)
    return lost
