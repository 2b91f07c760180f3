"""One run, as stages over one value: load, recover, work through the steps, conclude."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from pathlib import Path

import structlog

from rota.engine import unchanged
from rota.engine.attempt import Attempts, Try
from rota.engine.conclusion import Ending, conclude, ending_of
from rota.engine.definitions import Definitions
from rota.engine.environment import Deferred, merged_values, run_values
from rota.engine.evidence import Examiner
from rota.engine.journal import Journal
from rota.engine.outcome import outcome_of
from rota.engine.output import OutputLog
from rota.engine.patience import write_patiently
from rota.engine.resume import resume
from rota.model.config import WorkspaceConfig
from rota.model.errors import LostClaimError, RotaError, StoreError
from rota.model.instants import SECOND
from rota.model.job import Step
from rota.model.run import Attempt, Reason, Run, RunState, StepRun, StepState
from rota.planning.graph import next_steps
from rota.planning.worktime import worked
from rota.ports.clock import Clock
from rota.ports.crash import crash_point
from rota.ports.steps import Failed, Services, StepResult, Waiting
from rota.ports.store import Store
from rota.templates import evaluate, truth

# How long the children of the runs that are ended at a shutdown get, and the last writes.
ENDING = 30.0
log = structlog.get_logger("rota.executor")


class Stop(Enum):
    """Why a run is ended from outside."""

    CANCEL = "cancel"  # a person (or a policy) asked for it
    SHUTDOWN = "shutdown"  # rota ends; the run goes on at its next start


@dataclass(frozen=True)
class Made:
    """An attempt at a step whose end is not in the journal yet. Its log is closed."""

    begun: StepRun
    attempt: Attempt
    result: StepResult
    output: OutputLog


@dataclass
class RunInProgress:
    """The value that the stages work on."""

    run: Run
    journal: Journal
    previous: Run | None
    outputs: dict[str, OutputLog] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)  # of the steps with `if_changed:` that were tried


class Executor:
    """Executes claimed runs, each in a coroutine of its own."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        definitions: Definitions,
        services: Services,
        *,
        workspace: Path,
        config: Callable[[], WorkspaceConfig],
    ) -> None:
        self._store = store
        self._clock = clock
        self._definitions = definitions
        self._services = services
        self._workspace = workspace
        self._config = config
        self.attempts = Attempts(workspace, config, services)
        self._examiner = Examiner(store, clock, self.attempts, services.hosts, workspace=workspace)
        self._unchanged = unchanged.Unchanged(store, workspace)
        self._active: dict[str, asyncio.Task[None]] = {}
        self._entered: set[str] = set()
        self._stops: dict[str, Stop] = {}
        self.on_start: Callable[[str], None] = lambda _run_id: None
        self.on_end: Callable[[], None] = lambda: None

    @property
    def active(self) -> frozenset[str]:
        """Ids of the runs that are being executed here."""
        return frozenset(self._active)

    def start(
        self, run: Run, made: Made | None = None, *, begun: tuple[StepRun, Attempt] | None = None
    ) -> asyncio.Task[None]:
        """Execute a claimed run in the background, or what is left of it after an attempt that was `made`.

        `begun`: an attempt that was under way and has ended without a result; the journal may not know of it.
        """
        task = asyncio.create_task(self._execute(run, made, begun), name=f"run {run.id}")
        self._active[run.id] = task
        task.add_done_callback(partial(self._forget, run.id))
        self.on_start(run.id)
        return task

    def stop(self, run_id: str, why: Stop) -> None:
        """End a run: its children first, then its state."""
        task = self._active.get(run_id)
        if task is not None and run_id not in self._stops:
            self._stops[run_id] = why
            if run_id in self._entered:  # else it notices before its first step
                task.cancel()

    async def drain(self, grace: float) -> None:
        """Let the active runs finish for `grace` seconds, then interrupt the rest in the state."""
        if self._active:
            await asyncio.wait(list(self._active.values()), timeout=grace)
        for run_id in list(self._active):
            self.stop(run_id, Stop.SHUTDOWN)
        for patience in (ENDING, 1.0):
            if self._active:
                _, late = await asyncio.wait(list(self._active.values()), timeout=patience)
                await asyncio.sleep(0)
                for task in late:  # the state cannot be written: what is left is taken over at the next start
                    task.cancel()

    def _forget(self, run_id: str, _task: asyncio.Task[None]) -> None:
        self._active.pop(run_id, None)
        self._stops.pop(run_id, None)
        self._entered.discard(run_id)
        self.on_end()

    async def _execute(self, run: Run, made: Made | None, begun: tuple[StepRun, Attempt] | None) -> None:
        """The stages. Whatever a run does, it does not end the daemon."""
        progress: RunInProgress | None = None
        try:
            progress = self._load(run)
            if begun is not None:
                await progress.journal.end(*begun)
            self._entered.add(run.id)
            if run.id in self._stops:
                await self._stopped(progress)
                return
            try:
                if made is not None:
                    step = progress.journal.job.steps[0]
                    await self._settle(progress, step, made)
                else:
                    await resume(
                        progress.journal, self._services.steps, self.attempts, lambda: self._values(progress)
                    )
                ending = await self._work_in_time(progress)
            except asyncio.CancelledError:
                await self._stopped(progress)
                return
            await self._conclude(progress, ending)
        except LostClaimError:
            log.warning("claim_lost", run=run.id, job=run.job_id)
        except Exception as error:  # the run ends as failed, with the reason in the state
            log.exception("run_raised", run=run.id, job=run.job_id)
            await self._broken(run, progress, error)

    def _load(self, run: Run) -> RunInProgress:
        job = self._definitions.of_run(run)
        previous = self._store.read(lambda tx: tx.runs.previous(run.job_id, run.id))
        journal = Journal(self._store, self._clock, run, job)
        journal.wake(self._clock.now())
        return RunInProgress(run, journal, previous)

    async def _work_in_time(self, progress: RunInProgress) -> Ending:
        """Work, for no longer than the job's `timeout:` allows a run to be at work in all."""
        run, journal = progress.run, progress.journal
        timeout = journal.job.timeout
        if (error := run.inputs.get("condition_error")) is not None:
            return await self._abandon(
                progress, RunState.FAILED, Reason("bad_template", f"`if:` failed: {error}")
            )
        if timeout is None:
            return await self._work_to_its_end(progress)
        so_far = worked(self._store.read(lambda tx: tx.runs.attempts(run.id)))
        try:
            async with asyncio.timeout(max(0.0, timeout - so_far / SECOND)):
                return await self._work_to_its_end(progress)
        except TimeoutError:
            reason = Reason("timeout", f"the run took longer than its timeout of {timeout:g} s")
            return await self._abandon(progress, RunState.FAILED, reason)

    async def _work_to_its_end(self, progress: RunInProgress) -> Ending:
        """The steps, and where they went well the evidence that the job asks for."""
        journal = progress.journal
        await self._work(progress)
        ending = ending_of(journal.job, journal.steps)
        if ending.state is RunState.SUCCEEDED and journal.job.success_if:
            crash_point("executor.before_evidence")
            missing = await self._examiner.examine(journal, self._values(progress))
            if missing is not None:
                return Ending(RunState.FAILED, missing)
        return ending

    async def _abandon(self, progress: RunInProgress, state: RunState, reason: Reason) -> Ending:
        """End the steps that are open, and start none of the others."""
        journal = progress.journal
        await journal.refresh()
        await self._end_open_steps(progress, StepState(state.value), reason)
        await journal.skip_blocked()
        for step_id, step_state in journal.states.items():
            if step_state is StepState.PENDING:
                await journal.set_state(step_id, StepState.SKIPPED, reason)
        return Ending(state, reason)

    async def _work(self, progress: RunInProgress) -> None:
        """Start steps as they become ready, until none is left to start."""
        journal = progress.journal
        tasks: set[asyncio.Task[None]] = set()
        try:
            while True:
                await journal.skip_blocked()
                started = {task.get_name() for task in tasks}
                for step in next_steps(journal.job.steps, journal.states).ready:
                    if step.id not in started:
                        tasks.add(asyncio.create_task(self._step(progress, step), name=step.id))
                if not tasks:
                    return
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def _step(self, progress: RunInProgress, step: Step) -> None:
        """One step: its condition, one attempt, and what follows from how that ended."""
        journal = progress.journal
        values = self._values(progress)
        if step.condition is not None:
            try:
                met = truth(evaluate(step.condition, {**merged_values(journal.steps), **values}))
            except RotaError as error:
                await journal.set_state(
                    step.id, StepState.FAILED, Reason(error.code, f"`if:` failed: {error}")
                )
                return
            if not met:
                reason = Reason("condition", f"`if: {step.condition}` was false")
                await journal.set_state(step.id, StepState.SKIPPED, reason)
                return
        if await self._unchanged.skips(journal, step, values, progress.marks):
            return
        crash_point("executor.before_step")
        begun, attempt = await journal.begin(step.id)
        progress.attempts[step.id] = attempt
        crash_point("executor.step_begun")
        trying = Try(journal.job, step, progress.run, begun.attempts, values)
        output = progress.outputs[step.id] = self.attempts.open_log(trying)
        result = await self.attempts.make(trying, output)
        crash_point("executor.step_ran")
        await self._settle(progress, step, Made(begun, attempt, result, output))

    async def _settle(self, progress: RunInProgress, step: Step, made: Made) -> None:
        """Write how an attempt ended."""
        begun, attempt, result = made.begun, made.attempt, made.result
        outcome = outcome_of(
            result,
            begun,
            step=step,
            job=progress.journal.job,
            run=progress.run,
            values=Deferred(lambda: self._values(progress)),
            config=self._config(),
            now=self._clock.now(),
        )
        after = outcome.step
        ended = replace(
            attempt,
            state=StepState.FAILED if isinstance(result, Failed) else after.state,
            finished_at=attempt.finished_at or self._clock.now(),
            exit_code=None if isinstance(result, Waiting) else result.exit_code,
            reason=after.reason,
        )
        kept = unchanged.kept_of(progress.run, step, result, progress.marks)
        await progress.journal.end(
            after, self.attempts.kept(ended, made.output), outcome.question, kept, outcome.messages
        )
        crash_point("executor.step_ended")

    def _values(self, progress: RunInProgress) -> dict[str, object]:
        return run_values(
            progress.journal.job,
            progress.run,
            progress.journal.steps,
            workspace=self._workspace,
            config=self._config(),
            previous=progress.previous,
        )

    async def _conclude(self, progress: RunInProgress, ending: Ending) -> None:
        """Write how the run ended (or waits), with its messages and followers, in one transaction."""
        crash_point("executor.before_finish")
        await write_patiently(
            self._store,
            self._clock,
            partial(
                conclude,
                run=progress.run,
                job=progress.journal.job,
                steps=dict(progress.journal.steps),
                ending=ending,
                previous=progress.previous,
                values=self._values(progress),
                config=self._config(),
                definitions=self._definitions,
                now=self._clock.now(),
            ),
        )
        crash_point("executor.finished")
        log.info(
            "run_ended",
            run=progress.run.id,
            job=progress.run.job_id,
            state=ending.state.value,
            reason=ending.reason.text,
        )

    async def _stopped(self, progress: RunInProgress) -> None:
        """The run was stopped; its children are gone by now."""
        run = progress.run
        if self._stops.get(run.id) is Stop.CANCEL:
            stored = self._store.read(lambda tx: tx.runs.get(run.id))
            asked = stored is not None and stored.cancel_requested
            reason = (
                stored.reason if stored is not None and asked else Reason("cancelled", "cancelled by hand")
            )
            await self._conclude(progress, await self._abandon(progress, RunState.CANCELLED, reason))
            return
        # The journal keeps the step as running: the next owner decides by `on_interrupt`.
        reason = Reason("shutdown", "rota was stopped; the run goes on at its next start")
        try:
            await self._store.write(lambda tx: tx.runs.release(run, self._clock.now(), reason))
            crash_point("executor.released")
        except StoreError as error:  # it is taken over at the next start instead
            log.warning("run_not_released", run=run.id, job=run.job_id, error=str(error))

    async def _end_open_steps(self, progress: RunInProgress, state: StepState, reason: Reason) -> None:
        journal, now = progress.journal, self._clock.now()
        for step in list(journal.steps.values()):
            ended = replace(step, state=state, reason=reason)
            if step.state is StepState.WAITING:
                await journal.end(ended)
            elif step.state is StepState.RUNNING:
                begun = progress.attempts.get(step.step_id) or journal.attempt_of(step)
                attempt = replace(begun, state=state, finished_at=now, reason=reason)
                output = progress.outputs.get(step.step_id)
                await journal.end(ended, self.attempts.kept(attempt, output) if output else attempt)

    async def _broken(self, run: Run, progress: RunInProgress | None, error: Exception) -> None:
        """rota itself failed in this run: it ends like any other that failed, as far as that is possible."""
        reason = Reason("internal", f"{type(error).__name__}: {error}")
        try:
            if progress is not None:
                await self._conclude(progress, await self._abandon(progress, RunState.FAILED, reason))
                return
        except LostClaimError:
            return
        except Exception:
            log.exception("run_not_concluded", run=run.id, job=run.job_id)
        with contextlib.suppress(RotaError):
            await write_patiently(
                self._store,
                self._clock,
                lambda tx: tx.runs.finish(run, RunState.FAILED, reason, self._clock.now(), {}),
            )
